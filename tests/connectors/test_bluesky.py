"""Against a double of ours that holds every call to the published lexicons; see tests/counterparts/bluesky.py."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.bluesky import Bluesky, facets_of, record_key
from tests.counterparts.bluesky import COLLECTION, DID, HANDLE, PASSWORD, RKEY, pds
from tests.counterparts.faults import faulty

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEXT = "Zwei Tage für die Grüße: https://berg.example/w (bald). #Workshop ist da"


@pytest.fixture
async def server():
    async with pds() as it:
        yield it


@pytest.fixture
async def front(server):
    async with faulty(server.url) as it:
        yield it


async def at_once(_):
    await asyncio.sleep(0)


def opened(url, tmp_path, **changes):
    values = {"BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": PASSWORD, "BLUESKY_BASE": url} | changes
    return Bluesky.open(values, Workshop(tmp_path, None, lambda: NOW), pause=at_once)


@pytest.fixture
async def bluesky(front, tmp_path):
    it = opened(front.url, tmp_path)
    assert (await it.health()).ok
    yield it
    await it.close()


async def test_a_post_is_told_from_the_answer(bluesky, server):
    receipt = await bluesky.post(text=TEXT, key="12.1.1", language="de")

    ((rkey, (cid, record)),) = server.repo.items()
    assert receipt.ref == f"at://{DID}/{COLLECTION}/{rkey}"
    assert receipt.data["cid"] == cid
    assert receipt.text == f"Posted on Bluesky: https://bsky.app/profile/{HANDLE}/post/{rkey}"
    assert record["text"] == TEXT
    assert record["createdAt"] == "2026-03-02T09:00:00.000Z"
    assert record["langs"] == ["de"]
    places = [TEXT.encode()[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode() for f in record["facets"]]
    assert places == ["https://berg.example/w", "#Workshop"]


async def test_the_same_key_is_one_post_and_another_key_another(bluesky, server):
    first = await bluesky.post(text=TEXT, key="1")
    assert await bluesky.post(text=TEXT, key="1") == first
    assert server.writes["put"] == 1
    await bluesky.post(text=TEXT, key="2")
    assert server.writes["put"] == 2


@pytest.mark.parametrize("how", ["drop", "500", "503", "429"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_answer_that_is_lost_posts_nothing_twice(bluesky, front, server, how, after):
    front.fail(how, after=after)
    await bluesky.post(text=TEXT, key="1")
    assert server.writes["put"] == 1
    assert len(server.repo) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_what_stays_lost_is_unknown_until_the_same_key_is_sent_again(bluesky, front, server, after):
    front.fail("drop", after=after, times=3)
    with pytest.raises(OutcomeUnknownError):
        await bluesky.post(text=TEXT, key="1")
    assert server.writes["put"] == int(after)
    await bluesky.post(text=TEXT, key="1")
    assert server.writes["put"] == 1


async def test_the_twin_that_neither_looks_nor_swaps_writes_twice(bluesky, server, monkeypatch):
    call = bluesky._call

    async def careless(method, name, *, json=None, **rest):
        if json:
            json.pop("swapRecord", None)
        return await call(method, name, json=json, **rest)

    async def never(rkey):
        return None

    monkeypatch.setattr(bluesky, "_call", careless)
    monkeypatch.setattr(bluesky, "_find", never)
    for _ in range(2):
        await bluesky.post(text=TEXT, key="1")
    assert server.writes["put"] == 2


async def test_under_one_name_there_is_one_post(bluesky, server):
    await bluesky.post(text=TEXT, key="1", name="our-workshop")
    with pytest.raises(RefusedError, match="Delete that first"):
        await bluesky.post(text="Another", key="2", name="our-workshop")
    await bluesky.delete(uri="our-workshop", key="3")
    await bluesky.post(text="Another", key="4", name="our-workshop")
    assert [record["text"] for _, record in server.repo.values()] == ["Another"]


async def test_a_post_is_deleted_and_posted_again(bluesky, server):
    receipt = await bluesky.post(text=TEXT, key="1")
    name, arguments = Bluesky.actions()["bluesky.post"].undo({"text": TEXT}, receipt)
    assert name == "bluesky.delete"
    gone = await bluesky.delete(**arguments, key="2")
    assert server.repo == {}
    assert (await bluesky.delete(**arguments, key="2")).text == "That post is gone from Bluesky."

    name, arguments = Bluesky.actions()["bluesky.delete"].undo(arguments, gone)
    assert name == "bluesky.post"
    await bluesky.post(**arguments, key="3")
    assert len(server.repo) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_deletion_whose_answer_was_lost_is_one(bluesky, front, server, after):
    receipt = await bluesky.post(text=TEXT, key="1")
    front.fail("drop", after=after, times=3)
    with pytest.raises(OutcomeUnknownError):
        await bluesky.delete(uri=receipt.ref, key="2")
    await bluesky.delete(uri=receipt.ref, key="2")
    assert server.repo == {}
    assert server.writes["delete"] == 1


async def test_nobody_elses_post_is_touched(bluesky):
    for uri in ("at://did:plc:other/app.bsky.feed.post/3k2aaaaaaaaaa", f"at://{DID}/app.bsky.feed.like/3k2aaaaaaaaaa"):
        with pytest.raises(RefusedError, match="no post of"):
            await bluesky.delete(uri=uri, key="1")


async def test_the_numbers_are_read_back(bluesky, server):
    receipt = await bluesky.post(text=TEXT, key="1", name="our-workshop")
    server.counts = {"likeCount": 3, "repostCount": 1, "replyCount": 2}
    for uri in (receipt.ref, "our-workshop"):
        numbers = await bluesky.numbers(uri=uri)
        assert numbers.data["numbers"] == {"likes": 3, "reposts": 1, "replies": 2, "quotes": 0}
    with pytest.raises(RefusedError, match="no such post"):
        await bluesky.numbers(uri="nothing")


async def test_a_session_that_ran_out_is_renewed(bluesky, server):
    server.expire()
    await bluesky.post(text=TEXT, key="1")
    assert server.writes["put"] == 1
    assert server.calls["com.atproto.server.createSession"] == 2


async def test_a_wrong_password_is_said_and_not_shown(front, tmp_path):
    wrong = opened(front.url, tmp_path, BLUESKY_APP_PASSWORD="hunter2-hunter2")
    health = await wrong.health()
    assert not health.ok
    assert "hunter2" not in health.text
    with pytest.raises(RefusedError, match="did not let"):
        await wrong.post(text=TEXT, key="1")
    await wrong.close()


async def test_nobody_there_means_that_nothing_happened(tmp_path):
    gone = opened("http://127.0.0.1:1", tmp_path)
    with pytest.raises(TryLaterError):
        await gone.post(text=TEXT, key="1")
    await gone.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": ""}, "between 1 and 300"),
        ({"text": "x" * 301}, "between 1 and 300"),
        ({"text": "a\0b"}, "control characters"),
        ({"text": "a\udc80b"}, "control characters"),
        ({"language": "English"}, "no language"),
    ],
)
async def test_a_post_that_makes_no_sense_is_refused(bluesky, server, changes, words):
    with pytest.raises(RefusedError, match=words):
        await bluesky.post(**({"text": TEXT, "key": "1"} | changes))
    assert server.repo == {}


@given(st.text(max_size=40))
def test_every_name_has_a_record_key_of_the_right_form(name):
    assert RKEY.fullmatch(record_key(name))


def test_two_names_have_two_record_keys():
    assert len({record_key(str(n)) for n in range(20_000)}) == 20_000


@given(st.text(max_size=80))
def test_what_can_be_followed_lies_inside_the_text(text):
    for facet in facets_of(text.encode(errors="replace").decode()):
        assert facet["index"]["byteStart"] < facet["index"]["byteEnd"]


@pytest.mark.parametrize(
    "changes", [{"BLUESKY_BASE": "http://bsky.example"}, {"BLUESKY_APP_PASSWORD": ""}], ids=["clear", "without"]
)
def test_settings_that_make_no_sense_are_refused(tmp_path, changes):
    with pytest.raises(RefusedError):
        opened("https://bsky.social", tmp_path, **changes)
    assert opened("https://bsky.social", tmp_path, BLUESKY_HANDLE="") is None


# ── what people answer: bluesky_notices.py ────────────────────────────────────────────────────────────────────────

POST = f"at://{DID}/{COLLECTION}/3ifnbuyd2chhw"


class Inbox:
    """Keeps each item once, by its address, as the house does."""

    def __init__(self):
        self.items = {}
        self.calls = 0
        self.full = False

    async def __call__(self, item):
        self.calls += 1
        if self.full:
            raise OSError("no space left")
        self.items.setdefault(item.event_id, item)

    @property
    def texts(self):
        return [item.text for item in self.items.values()]


async def test_the_first_look_only_remembers_and_the_next_brings_what_came_since(bluesky, server):
    inbox = Inbox()
    server.says("From before.")
    await bluesky.notices.look_once(inbox)
    assert inbox.calls == 0
    server.says("Does it run on Sundays?", about=POST, langs=["en"])
    server.says("liked", reason="like", about=POST)
    server.says("@berg.bsky.example look", reason="mention")
    await bluesky.notices.look_once(inbox)
    reply, mention = [item for item in inbox.items.values() if item.text != "From before."]
    assert (reply.kind, mention.kind) == ("bluesky.reply", "bluesky.mention")
    assert reply.data["about"] == POST
    assert reply.data["author"]["handle"] == "anna.bsky.example"
    assert reply.data["languages"] == ["en"]
    await bluesky.notices.look_once(inbox)
    assert len(inbox.items) == 3, "what shares the last moment comes again, and is one"


async def test_a_hundred_and_twenty_answers_come_page_by_page_oldest_first_and_after_a_restart(front, server, tmp_path):
    inbox = Inbox()
    first = opened(front.url, tmp_path)
    await first.notices.look_once(inbox)
    await first.close()
    for number in range(120):
        server.says(f"answer {number}")
    again = opened(front.url, tmp_path)
    await again.notices.look_once(inbox)
    assert inbox.texts == [f"answer {number}" for number in range(120)]
    assert server.calls["app.bsky.notification.listNotifications"] == 1 + 3
    server.says("one more", at="2026-03-02T09:30:00.000Z")
    await again.notices.look_once(inbox)
    assert inbox.texts[-1] == "one more"
    assert server.calls["app.bsky.notification.listNotifications"] == 1 + 3 + 1, "a page reaches back far enough"
    await again.close()


async def test_what_could_not_be_written_down_is_brought_again(bluesky, server):
    inbox = Inbox()
    await bluesky.notices.look_once(inbox)
    server.says("Hello?")
    inbox.full = True
    with pytest.raises(TryLaterError, match="no space left"):
        await bluesky.notices.look_once(inbox)
    inbox.full = False
    await bluesky.notices.look_once(inbox)
    assert inbox.texts == ["Hello?"]


async def test_odd_rows_are_passed_over_and_a_server_that_is_away_is_asked_later(bluesky, server, front):
    inbox = Inbox()
    await bluesky.notices.look_once(inbox)
    server.says("Whole.")
    server.said += [{"reason": "reply", "indexedAt": "2026-03-02T10:00:00.000Z"}, dict(server.said[0], author="me")]
    front.fail("503", times=3, reads=True)
    with pytest.raises(TryLaterError):
        await bluesky.notices.look_once(inbox)
    await bluesky.notices.look_once(inbox)
    assert inbox.texts == ["Whole."]


async def test_an_answer_stands_below_what_it_answers_once_and_can_be_deleted(bluesky, server, front):
    asked = server.says(
        "And on Mondays?", reply={"root": {"uri": POST, "cid": "bafyroot"}, "parent": {"uri": POST, "cid": "bafyroot"}}
    )
    front.fail("drop", after=True)
    receipt = await bluesky.reply(text="Yes.", uri=asked, who="@anna.bsky.example", key="1")
    assert await bluesky.reply(text="Yes.", uri=asked, who="@anna.bsky.example", key="1") == receipt
    ((_, (_, record)),) = server.repo.items()
    assert record["reply"]["parent"]["uri"] == asked
    assert record["reply"]["root"] == {"uri": POST, "cid": "bafyroot"}
    assert receipt.text.startswith("Answered @anna.bsky.example on Bluesky: https://bsky.app/")
    name, arguments = Bluesky.actions()["bluesky.reply"].undo({}, receipt)
    await getattr(bluesky, name.partition(".")[2])(**arguments, key="2")
    assert server.repo == {}


async def test_what_is_gone_is_not_answered(bluesky, server):
    with pytest.raises(RefusedError, match="is gone"):
        await bluesky.reply(text="Yes.", uri=f"at://did:plc:x/{COLLECTION}/3lxy222222222", key="1")
    assert server.repo == {}

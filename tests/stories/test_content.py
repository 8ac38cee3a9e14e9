"""Content: brief, draft, edit, publish; the blog is a real git repository, and published once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot import policy
from bot.testing import PaperHouse
from memory.events import Ended, Planned, Recorded, Write
from memory.projections import Books
from tests.counterparts.bluesky import COLLECTION as POSTS
from tests.counterparts.bluesky import DID, HANDLE, PASSWORD, pds
from tests.stories.company import approve, company, ends_well, lines_of, model_calls, records, weather
from tests.torture.bare import broken

WORDED = "Cakes, music and a tombola: come to our summer fair, everybody is welcome."


@pytest.mark.parametrize("name", weather("a model", "nonsense"))
async def test_a_brief_becomes_a_draft_an_edit_and_one_commit(tmp_path: Path, name: str) -> None:
    async with company(tmp_path, name, WORDED) as house:
        await house.operator("write a blog post about our summer fair")
        (draft,) = records(house, "post")
        assert draft["status"] == "draft"
        assert draft["channel"] == "blog"
        assert draft["text"] == (WORDED if name == "a model" else "Our summer fair.")
        if name == "a model":
            assert model_calls(house), "what was asked is on the bill"
        await house.operator("publish the post")
        card = house.card()
        assert card.state == "pending"
        assert list(lines_of(tmp_path / "site")) == ["Begin"]
        await house.press("Edit", card.id, edits={"0.body": "Come to our summer fair on the green."})
        assert any("green" in change for change in house.card().changes)
        await approve(house)
        assert len(list(lines_of(tmp_path / "site"))) == 2
        (post,) = records(house, "post")
        assert post["status"] == "published"
        await house.later(hours=1)
        assert len(list(lines_of(tmp_path / "site"))) == 2
        ends_well(house)


def on_bluesky(url: str) -> dict[str, str]:
    return {"BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": PASSWORD, "BLUESKY_BASE": url}


async def until(holds: Callable[[], Any], house: PaperHouse) -> None:
    async with asyncio.timeout(120):
        while not holds():
            await house.runner.settled()
            await asyncio.sleep(0.01)


def texts(server: Any) -> list[str]:
    return sorted(record["text"] for _, record in server.repo.values())


async def test_two_versions_go_out_at_two_times_are_counted_and_the_better_one_is_remembered(tmp_path: Path) -> None:
    async with pds() as server, company(tmp_path, "no model", environment=on_bluesky(server.url)) as house:
        await house.operator("write a Bluesky post about our new workshop")
        await house.operator("schedule the post for Friday at 9")
        assert "Our new workshop." in house.card().body, "what goes out is on the card that plans it"
        await approve(house)
        await house.operator("cancel the post")
        await house.later(days=6)
        assert server.repo == {}, "called off before its time"
        await house.operator("schedule both versions of the post for Friday at 9 and Monday at 10")
        await approve(house)
        shown = len(house.channel.cards)
        for number, (days, likes) in enumerate(((5.5, 5), (3, 9)), start=1):
            await house.later(days=days)
            server.counts = {"likeCount": likes, "repostCount": 1, "replyCount": 0, "quoteCount": 0}
            house.expects("unless you take it back by")
            await house.later(seconds=20)
            await until(lambda n=number: sum(each.startswith("Posted on") for each in house.channel.words) == n, house)
            await house.restart() if likes == 5 else None
        assert len(house.channel.cards) == shown, "the yes to the plan was the yes"
        assert texts(server) == ["Have you heard about our new workshop? Our new workshop.", "Our new workshop."]
        await house.later(days=3)
        await until(lambda: "Version b of" in house.transcript(), house)
        better = "Version b of 'Our new workshop' did better: 10 reactions, the other 6."
        house.expects(f"after 2 days: 9 likes, 1 repost, 0 replies, 0 quotes. {better}")
        await house.remembered()
        await house.operator("/recall which version of the workshop post did better")
        assert better in house.channel.words[-1]
        await house.operator("cancel the post version b")
        await approve(house)
        await until(lambda: texts(server) == ["Our new workshop."], house)
        await house.machine.runner._staff.connectors["bluesky"].close()
        ends_well(house)


async def test_an_answer_on_bluesky_comes_as_a_card_once_and_is_answered_below(tmp_path: Path) -> None:
    async with pds() as server, company(tmp_path, "no model", environment=on_bluesky(server.url)) as house:
        bluesky: Any = house.machine.runner._staff.connectors["bluesky"]
        await bluesky.notices.look_once(house.runner.arrived)
        asked = server.says("Läuft das auch sonntags?", about=f"at://{DID}/{POSTS}/3ifnbuyd2chhw", langs=["de"])
        for _ in range(2):
            await bluesky.notices.look_once(house.runner.arrived)
        await house.runner.settled()
        (card,) = house.channel.cards.values()
        assert card.body == "Danke für die Frage, Anna. Ich sehe nach und antworte hier."
        assert "Läuft das auch sonntags?" in card.note
        assert server.repo == {}
        await house.press("Edit", card.id, edits={"0.text": "Ja, bis 18 Uhr."})
        await approve(house)
        await until(lambda: server.repo, house)
        ((_, (_, record)),) = server.repo.items()
        assert (record["text"], record["reply"]["parent"]["uri"]) == ("Ja, bis 18 Uhr.", asked)
        await house.remembered()
        await house.operator("/recall sonntags")
        house.expects("Läuft das auch sonntags?")
        await bluesky.close()
        ends_well(house)


async def planned(house: PaperHouse) -> None:
    await house.operator("write a blog post about our summer fair")
    await house.operator("schedule the post for Friday at 9")
    assert "Our summer fair." in house.card().body
    await approve(house)


@pytest.mark.parametrize(
    ("changed", "guarded", "asks"), [(False, True, False), (True, True, True), (True, False, False)],
    ids=["as planned", "changed since", "twin: changed, and nobody looks"],
)  # fmt: skip
async def test_the_yes_to_a_plan_is_a_yes_to_exactly_that(
    tmp_path: Path, *, changed: bool, guarded: bool, asks: bool
) -> None:
    async with company(tmp_path, "no model") as house:
        await planned(house)
        with house.machine.database.read() as connection:
            (post,) = Books(connection).all("post")
        if changed:
            write = Write(kind="post", key=post.key, data={**post.data, "text": "Sale!"})
            by_hand = Planned(goal="By hand", steps=(), source="test")
            house.runner.chronicle.record(
                [by_hand, Recorded(write=write, version=post.version + 1), Ended(how="done", summary="Changed")]
            )
        with broken(policy, "_granted", policy._granted if guarded else lambda *_: True):
            await house.later(days=4)  # Friday, ten o'clock
            await house.later(seconds=20)
        assert any(card.state == "pending" for card in house.channel.cards.values()) is asks, house.transcript()
        assert len(list(lines_of(tmp_path / "site"))) == (1 if asks else 2)


async def test_the_yes_to_a_plan_is_none_for_another_hour_nor_much_later(tmp_path: Path) -> None:
    async with company(tmp_path, "no model") as house:
        await planned(house)
        await house.operator("publish the post")
        assert house.card().state == "pending", "it was approved for Friday, not for now"
        await house.press("Reject")
        await house.later(days=30)
        await house.later(seconds=20)
        assert len(list(lines_of(tmp_path / "site"))) == 1, "and who comes a month late asks again"
        assert house.card().state == "pending"

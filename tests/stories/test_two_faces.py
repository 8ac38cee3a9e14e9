"""One product, two faces: what is shown on Slack, on Telegram and on the console is one card, and the first press wins."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from sqlalchemy import select

from bot.courier import Courier
from bot.testing import OPERATOR as WEB
from bot.testing import PLACE as CONSOLE
from memory.shown import shown
from tests.counterparts.slack import ALICE, BOB, TEAM, LocalSlack, local_slack
from tests.counterparts.telegram import OPERATOR, STRANGER, TelegramDouble
from tests.stories.street import Phone, SlackPhone, Street, TelegramPhone, card, street, words

pytestmark = pytest.mark.node

INVOICE = "invoice Acme 1,200 for the March retainer, net 14"
MATE = 7002  # a delegate in Telegram


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@pytest_asyncio.fixture
async def there(slack: LocalSlack, tmp_path: Path) -> AsyncIterator[Street]:
    async with TelegramDouble() as telegram, street(tmp_path, slack=slack, telegram=telegram) as opened:
        yield opened


async def test_the_first_press_wins_and_every_copy_says_so(there: Street) -> None:
    slack, telegram = there.phones
    await slack.says(INVOICE)
    standing = await card(telegram)
    assert "1,428.00 EUR" in standing.text
    on_console = there.house.card()
    assert (on_console.state, on_console.revision) == ("pending", 1)

    assert await telegram.presses("Approve", standing) == "Approved."
    assert "Approved by you on telegram" in (await card(slack)).text
    assert (await card(slack)).labels == ("Undo",)
    assert there.house.channel.cards[on_console.id].state == "approved"
    late = await there.house.press_handle(on_console.buttons[0].handle, "reject")
    assert "settled: Approved by you on telegram" in late
    await there.later(seconds=11)
    assert there.sent == 1
    for phone in there.phones:
        assert "Mailed to billing@acme.example" in (await card(phone)).text
        assert (await card(phone)).labels == ()


async def test_an_edit_on_one_phone_moves_the_buttons_to_the_new_card_on_both(there: Street) -> None:
    slack, telegram = there.phones
    await telegram.says(INVOICE)
    stale = there.house.card().buttons[0].handle
    await slack.edits("Amount", "1200.00 EUR", "1300.00 EUR")
    for phone in there.phones:
        seen = [each for each in await phone.seen() if each.is_card and "Issue invoice" in each.text]
        assert ["Approve" in each.labels for each in seen] == [False, True], phone.name
        assert "Amount: 1,428.00 EUR → 1,547.00 EUR" in seen[-1].text
    # R6: a button that somebody still holds in hand is bound to what stood on its card.
    assert "changed since" in await there.house.press_handle(stale, "approve")
    await there.later(hours=1)
    assert there.sent == 0


async def test_a_copy_that_could_not_be_mended_is_mended_after_the_restart(there: Street) -> None:
    slack, telegram = there.phones
    assert there.edge is not None
    await telegram.says(INVOICE)
    standing = await card(telegram)
    there.edge.down = True
    await there.edge.hang_up()
    there.telegram.user_presses(standing.ref, "Approve")  # type: ignore[union-attr]
    await there.telegram.until(lambda: "Undo" in there.telegram.labels(standing.ref))  # type: ignore[union-attr]
    assert "Approve" in (await card(slack)).labels  # Slack is away: the copy is old
    await there.house.stop()
    there.edge.down = False
    await there.restart()
    assert "Approved by you on telegram" in (await card(slack)).text
    assert "Approve" not in (await card(slack)).labels


async def test_two_devices_at_one_instant_have_one_winner(there: Street) -> None:
    """T6 over the real channels."""
    slack, telegram = there.phones
    chance = random.Random(6)
    rounds, approved = 12, 0
    for number in range(rounds):
        await there.house.operator(f"ask mail to=race{number}@acme.example body=Race")
        on_slack, on_telegram = await card(slack), await card(telegram)
        presses = [slack.presses("Approve", on_slack), telegram.presses("Approve", on_telegram)]
        chance.shuffle(presses)
        told = await asyncio.gather(*presses)
        winners = [sentence for sentence in told if sentence.startswith("Approved.")]
        assert len(winners) == 1, told
        assert all("settled: Approved by you" in sentence for sentence in told if sentence not in winners), told
        approved += len(winners)
    await there.later(seconds=11)
    assert there.sent == approved == rounds
    assert max(there.post.accepted.values()) == 1


async def test_a_redelivery_after_a_restart_is_no_second_request(there: Street) -> None:
    """R11: what was taken in before is known after the restart, on both."""
    slack, telegram = there.phones
    assert there.telegram is not None
    assert there.edge is not None
    await telegram.says("ask mail to=a@acme.example body=Once")
    await slack.says("ask mail to=b@acme.example body=Once")
    cards = [len([each for each in await phone.seen() if each.is_card]) for phone in there.phones]
    dm = await slack._there()  # type: ignore[attr-defined]
    await there.restart()
    await there.edge.connected()
    await there.edge.envelope("events_api", _event("Ev1", "ask mail to=c@acme.example body=Once", dm), "first")
    await there.edge.ack("first")
    await there.settled()
    cards[0] += 1  # a repetition whose original was never seen is a request
    cards[1] += 1
    await there.restart()
    await there.edge.connected()
    await there.edge.envelope("events_api", _event("Ev1", "ask mail to=c@acme.example body=Once", dm), "second")
    await there.edge.ack("second")
    there.telegram.redeliver()
    await there.telegram.until(lambda: not there.telegram.pending)  # type: ignore[union-attr]
    await there.settled()
    assert [len([each for each in await phone.seen() if each.is_card]) for phone in there.phones] == cards


def _event(event_id: str, text: str, dm: str) -> dict[str, object]:
    said = {"type": "message", "channel": dm, "channel_type": "im", "user": ALICE, "text": text, "ts": "5.000001"}
    return {"type": "event_callback", "team_id": TEAM, "event_id": event_id, "event": said}


async def test_who_is_not_on_the_list_gets_nothing_and_the_operator_is_told(there: Street, slack: LocalSlack) -> None:
    """R4, R13: strangers on both, and no word of the company reaches them."""
    assert there.telegram is not None
    on_slack, telegram = there.phones
    await on_slack.says(INVOICE)
    standing = await card(telegram)
    bob = SlackPhone(slack, there.settled, user=BOB)
    mallory = TelegramPhone(there.telegram, there.settled, user=STRANGER)
    await bob.says("approve 2.1")
    await mallory.says("approve 2.1")
    message = (await card(on_slack)).ref
    before = there.house.card().state
    on_slack.user = BOB  # type: ignore[attr-defined] - Bob's finger on Alice's card
    await on_slack.presses("Approve", next(e for e in await on_slack.seen() if e.ref == message))
    on_slack.user = ALICE  # type: ignore[attr-defined]
    forged = there.telegram.user_presses(standing.ref, data=".a:2.1:1:AAAAAAAAAAAAAAAA")
    await there.telegram.until(lambda: forged.answer)
    await there.settled()

    assert (before, there.house.card().state) == ("pending", "pending")
    told = await words(telegram)
    assert f"not on your list (slack user {BOB}) tried a message. Refused." in told
    assert f"not on your list (telegram user {STRANGER}) wrote to the bot. Refused." in told
    for outsider in (await words(bob), await words(mallory)):
        assert all(fact not in outsider for fact in ("Acme", "1428", "invoice", "2026"))
    await there.later(hours=1)
    assert there.sent == 0


async def test_no_message_ever_shows_a_preview(there: Street) -> None:
    """R26: also when words from outside hold an address."""
    assert there.telegram is not None
    for phone in there.phones:
        await phone.says("ask mail to=a@acme.example body=See https://evil.example/?q=secret")
        await phone.says("what's unpaid?")
    for method in ("sendMessage", "editMessageText"):
        for call in there.telegram.made(method):
            options = call["link_preview_options"]
            options = json.loads(options) if isinstance(options, str) else options
            assert options["is_disabled"] is True
    log = [entry for entry in await there.phones[0].slack.log() if entry.get("summary") == "chat.postMessage"]  # type: ignore[attr-defined]
    assert log
    for entry in log:
        sent = json.dumps(entry.get("detail"))
        assert '"unfurl_links": false' in sent.lower()


async def test_what_ran_out_is_not_called_a_no(there: Street) -> None:
    """R2, R3: a reminder comes first, and expiry is told apart from a rejection on both."""
    await there.phone.says(INVOICE)
    await there.later(days=6, hours=13)
    await there.later(days=1)
    for phone in there.phones:
        said = await words(phone)
        assert "Ran out" in said
        assert "Rejected" not in said
        assert "still waits and runs out" in said
    assert there.sent == 0


class Again(asyncio.Lock):
    """A lock that its holder may take once more: whoever shows a card looks after the words beside it."""

    holder: asyncio.Task[object] | None = None
    times = 0

    async def acquire(self) -> Literal[True]:
        if self.holder is not asyncio.current_task():
            await super().acquire()
            self.holder = asyncio.current_task()
        self.times += 1
        return True

    def release(self) -> None:
        self.times -= 1
        if not self.times:
            self.holder = None
            super().release()


class OneLine(dict[object, asyncio.Lock]):
    """Everything of a house in one line, cards and words."""

    def setdefault(self, key: object, default: asyncio.Lock | None = None) -> asyncio.Lock:
        return super().setdefault("", Again())


@pytest.mark.parametrize("twin", [False, True], ids=["", "twin"])
async def test_a_card_goes_before_words_that_wait(there: Street, twin) -> None:
    """Slack asks for a pause; what was said before stays in order, and the card does not wait for it."""
    if twin:
        there.house.runner.courier.lanes = OneLine()
    slack = there.phones[0]
    assert there.edge is not None
    # Until the card is there to be shown.
    there.edge.retry_after = "1"
    there.edge.fault = lambda method, _: "429" if method == "chat.postMessage" and not there.house.channel.cards else ""
    texts = ["what's unpaid?", "who is Acme?", "who is Initech?", "/stuck", "ask mail to=z@acme.example body=Now"]
    dm = await slack._there()  # type: ignore[attr-defined]
    for text in texts:
        await slack.slack.control("message", channel=dm, user=ALICE, text=text)  # type: ignore[attr-defined]
    await there.settled()
    seen = [each.text for each in await slack.seen()]
    said = [text.partition("\n")[0] for text in there.house.channel.words]  # in the order they were said
    shown = [text.partition("\n")[0] for text in seen if text.partition("\n")[0] in said]
    assert shown == said
    asked = next(n for n, text in enumerate(seen) if "z@acme.example" in text)
    assert (asked < len(seen) - 1) is not twin


async def test_a_revoked_token_leaves_the_house_up_and_what_is_owed_comes_later(there: Street) -> None:
    assert there.telegram is not None
    assert there.edge is not None
    there.telegram.revoke()
    there.edge.fault = lambda method, _: "error:token_revoked"
    await there.edge.hang_up()
    task = await there.house.runner.heard("web-1", INVOICE, WEB, CONSOLE)
    async with asyncio.timeout(120):
        while not there.house.runner.state_now(int(task)).cards:  # noqa: ASYNC110 - nothing is delivered to wait for
            await asyncio.sleep(0.01)
    await there.restart_without_waiting()
    assert there.house.card(f"{task}.1").state == "pending"  # the console goes on
    there.telegram.revoke(revoked=False)
    there.edge.fault = lambda method, _: ""
    await there.connected()
    for phone in there.phones:
        async with asyncio.timeout(120):
            while not await _asked(phone, "2026-0001"):  # noqa: ASYNC110 - it comes when the platform is tried again
                await asyncio.sleep(0.05)


async def test_a_token_that_one_platform_refuses_is_told_on_the_other(
    there: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert there.edge is not None
    monkeypatch.setattr("bot.channels.slack.post.TROUBLE_RETRY_S", 1.0)
    slack, telegram = there.phones
    there.edge.fault = lambda method, _: "error:token_revoked" if method == "chat.postMessage" else ""
    await there.house.runner.heard("web-1", INVOICE, WEB, CONSOLE)
    async with asyncio.timeout(120):
        while "Slack refuses our bot token (token_revoked)" not in await words(telegram):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)
    there.edge.fault = lambda method, _: ""
    async with asyncio.timeout(120):
        while not await _asked(slack, "2026-0001"):  # noqa: ASYNC110 - it comes when the platform is tried again
            await asyncio.sleep(0.05)
    assert (await words(telegram)).count("Slack refuses our bot token") == 1


async def _asked(phone: Phone, words: str) -> bool:
    return any(words in each.text and "Approve" in each.labels for each in await phone.seen())


async def test_a_token_that_is_none_is_a_sentence_and_not_a_crash(tmp_path: Path) -> None:
    broken = {"SLACK_BOT_TOKEN": "xoxb-alone", "TELEGRAM_TOKEN": "no token"}
    async with street(tmp_path, environment=broken) as there:
        assert there.house.runner._staff.channels == {}
        notices = " ".join(there.house.machine.notices)
        assert "Slack is left out" in notices
        assert "SLACK_APP_TOKEN" in notices
        assert "Telegram is left out: TELEGRAM_TOKEN is not a bot token" in notices
        await there.house.operator("who is Acme?")
        there.house.expects("billing@acme.example")


async def test_a_delegate_decides_what_the_file_allows_and_no_more(slack: LocalSlack, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "delegates.toml").write_text(
        f'[[delegate]]\nname = "Bob"\nslack = "{TEAM}:{BOB}"\nactions = ["books.*", "mail.send"]\n'
        f'amount_max = "500.00 EUR"\n[[delegate]]\ntelegram = "{MATE}"\nactions = ["mail.send"]\n'
    )
    async with TelegramDouble() as telegram:
        telegram.person(MATE, "Mate")
        async with street(tmp_path, slack=slack, telegram=telegram) as there:
            bob = SlackPhone(slack, there.settled, user=BOB)
            mate = TelegramPhone(telegram, there.settled, user=MATE)
            await bob.says("invoice Acme 100 for support")
            small = await card(bob, "119.00 EUR")
            for phone in there.phones:  # the operator sees what a delegate began, on both
                assert "119.00 EUR" in (await card(phone)).text
            assert await bob.presses("Approve", small) == "Approved."
            await there.later(seconds=11)
            assert there.sent == 1

            await bob.says(INVOICE)
            refused = await bob.presses("Approve", await card(bob, "1,428.00 EUR"))
            assert "up to 500.00 EUR" in refused
            assert "Approve" in (await card(there.phones[1], "1,428.00 EUR")).labels
            assert "tried to approve" in await words(there.phones[0])

            await mate.says("invoice Initech 50 for hosting")
            assert "may not decide about books.issue" in await mate.presses("Approve", await card(mate, "Initech"))
            await there.later(hours=1)
            assert there.sent == 1


async def test_what_is_typed_on_a_phone_shows_live_in_the_console(there: Street) -> None:
    heard: list[tuple[str, str]] = []

    async def overhear(task: str, text: str, files: object, place: object) -> None:
        heard.append((place.channel, text))  # type: ignore[attr-defined]

    there.house.channel.overhear = overhear  # type: ignore[attr-defined]
    for phone in there.phones:
        await phone.says("who is Acme?")
    assert heard == [("slack", "who is Acme?"), ("telegram", "who is Acme?")]


async def test_a_newcomer_pairs_on_both_with_the_codes_from_the_terminal(slack: LocalSlack, tmp_path: Path) -> None:
    """Nobody is answered before; the first with the code is the operator, also after a restart, and nobody else is."""
    nobody = {"SLACK_OPERATOR": "", "TELEGRAM_OPERATOR": ""}
    async with (
        TelegramDouble() as telegram,
        street(tmp_path, slack=slack, telegram=telegram, environment=nobody) as there,
    ):
        on_slack, on_telegram = there.phones
        await there.telegram.until(lambda: there.house.announced)  # type: ignore[union-attr]
        for phone in there.phones:
            await phone.says("who is Acme?")
        assert "Acme GmbH" not in await words(on_slack) + await words(on_telegram)
        [notice] = [each for each in there.house.machine.notices if "/solo pair" in each]
        await on_slack.commands(f"/pair {notice.partition('/solo pair ')[2].split()[0]}")
        await on_telegram.says(there.house.announced[-1].partition("send ")[2].split()[0])
        assert there.house.announced[-1].startswith("Telegram: send ")
        await there.restart()
        for phone in there.phones:
            await phone.says("who is Acme?")
            assert "billing@acme.example" in await words(phone)
        late = SlackPhone(slack, there.settled, user=BOB)
        await late.commands(f"/pair {notice.partition('/solo pair ')[2].split()[0]}")
        await late.says("who is Acme?")
        assert "billing@acme.example" not in await words(late)


async def left_working(there: Street) -> str:
    """Leave a message that says that it takes a while, as a kill does after its card was shown; what it says at last."""
    telegram = there.telegram
    assert telegram is not None
    await there.phone.says("what's unpaid?")
    ref = str(telegram.shown()[-1]["message_id"])
    row = {
        "channel": "telegram",
        "conversation": str(OPERATOR),
        "ref": ref,
        "thread": "",
        "task": 2,
        "what": "2.w",
        "due": 0,
    }
    there.house.machine.log.transact(lambda tx: tx.put(shown, row)).result()
    await there.restart()
    await there.phone.says("what's unpaid?")
    return telegram.texts()[0]


async def test_what_was_left_saying_that_it_works_is_mended_at_the_start(tmp_path: Path) -> None:
    async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram) as there:
        await left_working(there)
        await telegram.until(lambda: telegram.texts()[0] == "Here it is:")
        with there.house.machine.database.read() as connection:
            assert connection.execute(select(shown.c.ref).where(shown.c.what == "2.w")).all() == []


async def test_without_looking_at_the_start_it_would_say_so_for_good_twin(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Courier, "take_up", lambda *_: None)
    async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram) as there:
        assert await left_working(there) != "Here it is:"

"""Quiet hours and being away: what nobody waits for waits, nothing runs out, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot import absence
from bot.approvals import Person
from bot.policy import Policy
from bot.testing import PaperChannel, PaperHouse
from connectors.base import Incoming
from memory.events import Actor, Origin, Place

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
NIGHT = Policy(quiet=(time(22), time(7)))
POST = "ask post to=billing@acme.example client=acme body=Hello"


@pytest.mark.parametrize(
    ("text", "what", "until"),
    [
        ("away until Friday", "away", "2026-03-06 08:00"),
        ("I'm away until 3 August.", "away", "2026-08-03 08:00"),
        ("/away for two weeks", "away", "2026-03-16 08:00"),
        ("I am on holiday until Friday 14:00", "away", "2026-03-06 14:00"),
        ("/away from Monday to Friday", "when", ""),
        ("/away until 2028", "when", ""),
        ("holiday until Friday", "away", "2026-03-06 08:00"),
        ("/holiday next week", "away", "2026-03-16 08:00"),
        ("/away", "when", ""),
        ("I'm away", "when", ""),
        ("/away with the fairies", "when", ""),
        ("/back", "back", ""),
        ("I'm back!", "back", ""),
    ],
)
def test_exact_words_say_that_the_operator_is_away(text: str, what: str, until: str) -> None:
    word = absence.said(text, NOW, BERLIN, time(8))
    assert word is not None
    assert word.what == what
    assert (f"{word.until.astimezone(BERLIN):%Y-%m-%d %H:%M}" if word.until else "") == until


@pytest.mark.parametrize(
    "text",
    ["Anna is away until Monday", "let Stark know I'm on holiday next week", "plan my holiday in Greece", "holiday", "holiday homes for Acme", "I need a holiday",
     "away with the fairies", "back", "back up my files", "I'm back to back in meetings", "am I away on Friday?"],
)  # fmt: skip
def test_other_words_do_not(text: str) -> None:
    assert absence.said(text, NOW, BERLIN, time(8)) is None


async def a_mail_comes(house: PaperHouse, number: int = 1, text: str = "When are you available by phone?") -> None:
    data = {
        "message_id": f"<{number}@acme.example>", "thread": f"<{number}@acme.example>", "subject": "A question",
        "from": {"name": "Anna", "address": "billing@acme.example"}, "reply_to": [], "references": [],
        "automatic": False, "from_ourselves": False,
    }  # fmt: skip
    await house.runner.arrived(Incoming("mail", "account", f"in-{number}", "mail", house.clock.at, data, text))
    await house.runner.settled()


def shown(channel: PaperChannel) -> tuple[list[str], list[str]]:
    return [message.text.partition("\n")[0] for message in channel.said], list(channel.cards)


async def test_at_night_what_nobody_asked_for_waits_for_the_morning(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=NIGHT, channels={"telegram": phone}) as house:
        await house.later(hours=13)  # 23:00
        await a_mail_comes(house)
        assert shown(phone) == ([], [])
        await house.operator("/approvals")
        house.expects("1 waiting for you")
        await house.operator(POST)
        assert shown(phone) == ([], ["4.1"]), "what the operator asks for now comes now"
        await house.restart()
        await house.later(hours=7)  # 06:00
        assert list(phone.cards) == ["4.1"]
        await house.later(hours=1, minutes=1)
        assert list(phone.cards) == ["4.1", "2.1"]


async def test_without_quiet_hours_it_comes_at_once(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=Policy(), channels={"telegram": phone}) as house:
        await house.later(hours=13)
        await a_mail_comes(house)
        assert list(phone.cards) == ["2.1"]


async def test_a_reminder_for_the_night_comes_at_night(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=NIGHT, channels={"telegram": phone}) as house:
        await house.operator("remind me today at 23:30 to switch off the oven")
        await house.later(hours=13, minutes=31)
        assert any("switch off the oven" in text for text in shown(phone)[0])


async def test_a_card_settled_while_it_waited_is_not_shown_in_the_morning(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=NIGHT, channels={"telegram": phone}) as house:
        await house.later(hours=13)
        await a_mail_comes(house)
        await house.press("Reject", "2.1")
        await house.later(hours=9)
        assert list(phone.cards) == []


async def test_nothing_runs_out_while_the_operator_is_away(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=Policy(), channels={"telegram": phone}) as house:
        await house.operator(POST)
        await house.operator("away until 30 March")
        house.expects("Away until Mon 30 Mar 08:00.")
        words = len(phone.said)
        await a_mail_comes(house)
        for _ in range(27):
            await house.later(days=1)
        assert len(phone.said) == words, "no letters, no notices"
        assert [house.card(card).state for card in ("2.1", "4.1")] == ["pending", "pending"]
        assert list(phone.cards) == ["2.1"]
        await house.later(days=1)  # 30 March, 10:00
        assert list(phone.cards) == ["2.1", "4.1"]
        assert await house.press("Approve", "2.1") == "Approved.", "it has a day from the return"
        await house.later(days=1)
        assert house.card("4.1").state == "pending", "it counts its days from the return"


async def test_what_ran_out_before_is_out_and_a_day_after_the_return_is_the_end(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=Policy()) as house:
        await house.operator(POST)
        await house.later(days=8)
        assert house.card("2.1").state == "expired"
        await house.operator(POST)
        card = house.card().id
        await house.operator("away for 9 days")
        await house.later(days=9, hours=20)
        assert house.card(card).state == "pending"
        await house.later(hours=3)
        assert house.card(card).state == "expired"


async def test_coming_back_early_shows_at_once_what_waited(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=Policy(), channels={"telegram": phone}) as house:
        await house.operator("/away for two weeks")
        await a_mail_comes(house)
        await house.later(days=2)
        assert list(phone.cards) == []
        await house.operator("I'm back")
        assert list(phone.cards) == ["3.1"]
        await a_mail_comes(house, 2)
        assert len(phone.cards) == 2, "nothing waits any more"


async def test_while_the_operator_is_away_a_delegate_gets_what_they_may_decide(tmp_path: Path) -> None:
    anna = Person("telegram", "77", role=Origin.DELEGATE, actions=("mail.*",))
    bob = Person("telegram", "88", role=Origin.DELEGATE, actions=("paper.*",))
    phone = Heard("telegram", "42")
    async with PaperHouse(
        tmp_path / "home", policy=Policy(), channels={"telegram": phone}, people=(anna, bob)
    ) as house:
        await a_mail_comes(house)
        assert phone.places == ["42"], "while the operator is there, it is the operator's"
        await house.operator("/away for two weeks", actor=Actor(platform="telegram", user="77"))
        house.expects("Only the operator can say that.")
        await house.operator("/away for two weeks")
        house.expects("What your delegates may decide goes to them as well.")
        await a_mail_comes(house, 2)
        assert phone.places == ["42", "77"]
        card = list(phone.cards)[-1]
        press = house.press("Approve", card, actor=Actor(platform="telegram", user="77"))
        assert await press == "Approved."
        assert phone.copies["c2"].state == "approved", "the delegate's copy says how it ended"


class Heard(PaperChannel):
    """Remembers in whose conversation each card was shown."""

    def __init__(self, name: str, conversation: str) -> None:
        super().__init__(name, conversation)
        self.places: list[str] = []

    async def ask(self, place: Place, card: object) -> str:
        self.places.append(place.conversation)
        return await super().ask(place, card)  # type: ignore[arg-type]

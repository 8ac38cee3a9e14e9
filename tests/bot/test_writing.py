"""Writing: a message grows by edits, no faster than the channel bears, and only in the operator's own chat."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.base import ActionCall, Agent, Proposal, Task
from bot.approvals import Person
from bot.channels.base import Message, UndeliverableError
from bot.courier import WORKED
from bot.testing import OPERATOR, PLACE, PaperChannel, PaperHouse
from bot.writing import HEAD, LONG, SHOWN_MAX, Writing, words
from memory.events import Actor, Origin, Place

TEXT = "All is well. " * 40


class Chat:
    """Shows at once; lets a test decide when the next edit may come."""

    def __init__(self, *answers: float | None) -> None:
        self.shown: list[str] = []
        self.pauses: list[float] = []
        self.turn = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self._answers = list(answers)

    async def show(self, text: str) -> float | None:
        self.shown.append(text)
        return self._answers.pop(0) if self._answers else 0.0

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.turn.wait()
        self.turn.clear()

    def writing(self, every_s: float = 3.0) -> Writing:
        return Writing(self.show, every_s, lambda work: self.tasks.append(asyncio.ensure_future(work)), self.sleep)

    async def breathe(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_only_the_newest_text_is_shown_when_the_channel_bears_it() -> None:
    chat = Chat()
    writing = chat.writing()
    for end in range(LONG, LONG + 50):
        await writing(TEXT[:end])
    await chat.breathe()
    assert chat.shown == [words(TEXT[: LONG + 49])]
    await writing(TEXT[: LONG + 60])
    await writing(TEXT[: LONG + 70])
    await chat.breathe()
    assert len(chat.shown) == 1, "not before the pause is over"
    chat.turn.set()
    await chat.breathe()
    assert chat.shown[1:] == [words(TEXT[: LONG + 70])]
    chat.turn.set()
    await chat.breathe()
    assert chat.pauses == [3.0, 3.0]
    assert all(task.done() for task in chat.tasks), "nothing runs while nothing is written"


async def test_a_short_answer_is_not_shown_in_pieces() -> None:
    chat = Chat()
    await chat.writing()("Two words.")
    assert chat.tasks == []


async def test_a_channel_that_asks_for_patience_gets_it_and_one_that_is_over_gets_nothing() -> None:
    chat = Chat(20.0, None)
    writing = chat.writing()
    await writing(TEXT)
    await chat.breathe()
    assert chat.pauses == [20.0]
    await writing(TEXT + "More.")
    chat.turn.set()
    await chat.breathe()
    assert len(chat.shown) == 2
    assert chat.tasks[0].done()


def test_a_very_long_text_shows_its_end() -> None:
    assert words("x" * 9000) == f"{HEAD}\n\n…{'x' * SHOWN_MAX}"


# ── in the house ──────────────────────────────────────────────────────────────────────────────────────────────────


class Author(Agent):
    """Writes slowly; the test holds the pen."""

    def __init__(self) -> None:
        self.pen: asyncio.Queue[str] = asyncio.Queue()
        self.calls: tuple[ActionCall, ...] = ()

    async def work(self, task: Task, desk: object) -> Proposal:
        stream = desk.stream  # type: ignore[attr-defined]
        while text := await self.pen.get():
            if stream is not None:
                await stream(text)
        return Proposal(calls=self.calls) if self.calls else Proposal(say="It is done.")


async def until(true: object) -> None:
    async with asyncio.timeout(120):
        while not true():  # type: ignore[operator]  # noqa: ASYNC110 - what is waited for is another task's turn
            await asyncio.sleep(0)


@pytest.fixture
def phone() -> PaperChannel:
    made = PaperChannel("telegram", "1")
    made.edit_every_s = 0.0  # type: ignore[attr-defined]
    return made


ME, ANNA = (Actor(platform="telegram", user=user) for user in ("op", "anna"))


def house_with(tmp_path: Path, phone: PaperChannel) -> PaperHouse:
    people = [Person("telegram", "op"), Person("telegram", "anna", role=Origin.DELEGATE)]
    return PaperHouse(tmp_path / "home", channels={"telegram": phone}, people=people)


async def test_the_message_grows_by_edits_and_ends_with_the_answer(tmp_path: Path, phone: PaperChannel) -> None:
    async with house_with(tmp_path, phone) as house:
        author = house.runner._staff.agents["paper"] = Author()  # type: ignore[index]
        await house.runner.heard("1", "ask send body=Hi", ME, phone.place)
        await author.pen.put(TEXT)
        await until(lambda: phone.words[-1:] == [words(TEXT)])
        await author.pen.put(TEXT + "And more.")
        await until(lambda: phone.words[-1] == words(TEXT + "And more."))
        await author.pen.put("")
        await house.runner.settled()
        assert len({message.id for message in phone.said}) == 1, "one message, edited"
        assert phone.words[-1] == "It is done."


async def test_a_channel_that_is_away_loses_words_and_no_answer(tmp_path: Path, phone: PaperChannel) -> None:
    async with house_with(tmp_path, phone) as house:
        author = house.runner._staff.agents["paper"] = Author()  # type: ignore[index]
        await house.runner.heard("1", "ask send body=Hi", ME, phone.place)
        phone.fails = [UndeliverableError("gone", forever=True)]
        await author.pen.put(TEXT)
        await until(lambda: not phone.fails)
        await author.pen.put("")
        await house.runner.settled()
        assert phone.words == ["It is done."]


@pytest.mark.parametrize("elsewhere", ["", "a group", "a delegate", "a channel without edits"])
async def test_nobody_else_watches(tmp_path: Path, phone: PaperChannel, elsewhere: str) -> None:
    async with house_with(tmp_path, phone) as house:
        author = house.runner._staff.agents["paper"] = Author()  # type: ignore[index]
        place = Place(channel="telegram", conversation="-100") if elsewhere == "a group" else phone.place
        if elsewhere == "a channel without edits":
            del phone.edit_every_s  # type: ignore[attr-defined]
        actor = ANNA if elsewhere == "a delegate" else ME
        task = int(await house.runner.heard("1", "ask send body=Hi", actor, place))
        assert (house.runner.courier.writing(task, "x") is not None) is (not elsewhere)
        await author.pen.put("")
        await house.runner.settled()


async def test_a_view_of_history_shows_it_too_and_the_answer_takes_its_place(house: PaperHouse) -> None:
    house.channel.edit_every_s = 0.0  # type: ignore[attr-defined]
    author = house.runner._staff.agents["paper"] = Author()  # type: ignore[index]
    task = await house.runner.heard("1", "ask send body=Hi", OPERATOR, PLACE)
    await author.pen.put(TEXT)
    await until(lambda: house.channel.words[-1:] == [words(TEXT)])
    await author.pen.put("")
    await house.runner.settled()
    await until(lambda: house.channel.words[-1] == "It is done.")
    assert {message.id for message in house.channel.said} == {f"{task}.w"}


class SlowPhone(PaperChannel):
    """A platform that takes its time with the words that are being written, and none with a card."""

    def __init__(self) -> None:
        super().__init__("telegram", "1")
        self.edit_every_s = 0.0
        self.began, self.goes_on = asyncio.Event(), asyncio.Event()

    async def say(self, place: Place, message: Message) -> str:
        if message.text.startswith(HEAD):
            self.began.set()
            await self.goes_on.wait()
        return await super().say(place, message)


async def test_words_that_arrive_after_the_card_do_not_stay_unfinished(tmp_path: Path) -> None:
    phone = SlowPhone()
    async with house_with(tmp_path, phone) as house:
        author = house.runner._staff.agents["paper"] = Author()  # type: ignore[index]
        author.calls = (ActionCall(name="paper.send", args={"to": ["anna@acme.example"], "body": "Hi"}),)
        await house.runner.heard("1", "ask send body=Hi", ME, phone.place)
        await author.pen.put(TEXT)
        async with asyncio.timeout(120):
            await phone.began.wait()
        courier, looked = house.runner.courier, asyncio.Event()
        really = courier._work_is_over

        async def work_is_over(*about: Any) -> bool:
            looked.set()
            return await really(*about)

        courier._work_is_over = work_is_over  # type: ignore[method-assign]
        await author.pen.put("")
        # Whoever comes after the card waits for the words that are on their way, or did not and has looked already.
        await until(lambda: courier._words_of(phone.place)._waiters or looked.is_set())
        phone.goes_on.set()
        await house.runner.settled()
        await until(lambda: phone.words[-1:] == [WORKED])
        assert phone.words == [words(TEXT), WORKED]

"""The loop as a whole: cards, presses, effects, undo, restarts. One sentence a promise."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from agents.base import Proposal
from bot.approvals import Person
from bot.channels.base import Message, NotWrittenError, RefusedPressError
from bot.chronicle import Outcome, replayed
from bot.policy import Limit, Policy, Rule
from bot.testing import OPERATOR, PLACE, PaperChannel, PaperHouse, fails
from connectors.base import Connector, Deliver, OutcomeUnknownError, RefusedError, TryLaterError
from memory.database import StorageError
from memory.events import Actor, Origin, Paused, Place, Said, Settled
from memory.log import HOUSE, Tx
from memory.replay import compare

STRANGER = Actor(platform="web", user="mallory", account="local", origin=Origin.OPERATOR)


def by_hand(house: PaperHouse) -> list[str]:
    """The provider's own ledger, by key."""
    return [key for key, _ in house.provider.accepted]


async def test_a_card_approved_in_the_morning_survives_the_night_and_a_restart(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    handle, verb = house.button("Approve")
    await house.restart()
    house.clock.at += timedelta(hours=14)
    assert await house.press_handle(handle, verb) == "Approved."
    assert len(by_hand(house)) == 1
    await house.restart()
    assert "settled" in await house.press_handle(handle, verb)
    assert len(by_hand(house)) == 1


async def test_nothing_happens_before_the_button(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.later(hours=1)
    assert by_hand(house) == []


async def test_a_stranger_cannot_press_and_the_operator_is_told(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    reply = await house.press("Approve", actor=STRANGER)
    assert reply.startswith("refused")
    house.expects("web user mallory tried to approve card")
    assert house.card().state == "pending"
    assert by_hand(house) == []


async def test_a_button_this_house_never_made_is_refused(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    handle, _ = house.button("Approve")
    for forged in (handle[:-1] + ("A" if handle[-1] != "A" else "B"), "12.1:1:AAAA", "", "ü" * 10, "0" * 500):
        with pytest.raises(RefusedPressError):
            await house.runner.pressed(f"f{forged}", forged, "approve", OPERATOR, PLACE)
    with pytest.raises(RefusedPressError):
        await house.runner.pressed("v", handle, "become_admin", OPERATOR, PLACE)
    assert house.card().state == "pending"


async def test_an_empty_roster_answers_to_nobody(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        with pytest.raises(RefusedPressError):
            await house.runner.heard("x", "invoice Acme 5", STRANGER, PLACE)


async def test_rejecting_says_who_and_why_and_does_nothing(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.press("Reject", reason="Wrong amount")
    card = house.card()
    assert card.state == "denied"
    assert "Rejected by you" in card.outcome
    assert "Wrong amount" in card.outcome
    assert by_hand(house) == []


async def test_expired_is_not_denied_and_is_never_a_yes(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    handle, verb = house.button("Approve")
    await house.later(days=8)
    card = house.card()
    assert card.state == "expired"
    assert "without an answer" in card.outcome
    await house.press_handle(handle, verb)
    assert by_hand(house) == []
    settled = [line.event for line in house.machine.log.lines() if isinstance(line.event, Settled)]
    assert [event.how for event in settled] == ["expired"]
    assert settled[0].by.platform == "clock"


async def test_a_reminder_comes_before_a_card_runs_out(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.later(days=6, hours=13)
    house.expects("still waits and runs out")


async def test_what_was_approved_is_what_is_done_or_nothing(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    handle, verb = house.button("Approve")
    await house.stop()
    with sqlite3.connect(house.home / "soloist.db") as raw:
        raw.execute("UPDATE events SET body = replace(body, 'Hello', 'Hellp') WHERE type = 'CardOpened'")
    house._build()
    await house._run()
    reply = await house.press_handle(handle, verb)
    assert "not what was shown" in reply
    assert by_hand(house) == []
    assert list(house.machine.log.verify()), "the chain shows it too"


async def test_undo_in_the_window_means_nothing_was_sent(house: PaperHouse) -> None:
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(seconds=3)
    assert "Taken back" in await house.press("Undo")
    await house.later(minutes=5)
    assert by_hand(house) == []


async def test_the_window_over_undo_says_the_truth(house: PaperHouse) -> None:
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    handle, verb = house.button("Undo")
    await house.later(seconds=11)
    assert len(by_hand(house)) == 1
    assert "cannot be taken back" in await house.press_handle(handle, verb)
    assert len(by_hand(house)) == 1


async def test_a_plain_effect_of_unknown_outcome_asks_and_is_never_sent_again_by_itself(house: PaperHouse) -> None:
    house.provider.after.append(fails(OutcomeUnknownError("The line dropped after the final dot.")))
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(seconds=11)
    card = house.card()
    assert card.kind == "unknown"
    assert [button.label for button in card.buttons] == ["It arrived", "Send again", "Drop it"]
    await house.later(days=3)
    await house.restart()
    assert len(by_hand(house)) == 1
    assert await house.press("It arrived", card.id) == "Noted: it arrived."
    assert len(by_hand(house)) == 1
    house.expects("confirmed by you")


async def test_a_keyed_effect_of_unknown_outcome_is_asked_again_with_the_same_key(house: PaperHouse) -> None:
    house.provider.after.append(fails(OutcomeUnknownError("No answer.")))
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(minutes=1)
    assert house.provider.calls == 2
    assert len(by_hand(house)) == 1
    house.expects("Done as")


async def test_a_reconcilable_effect_is_looked_for_before_it_is_sent_again(house: PaperHouse) -> None:
    house.provider.after.append(fails(OutcomeUnknownError("No answer.")))
    await house.operator("ask book to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(minutes=1)
    assert house.provider.calls == 1
    assert len(by_hand(house)) == 1
    house.expects("It is there.")


async def test_a_reconcilable_effect_proven_absent_is_sent_again_once(house: PaperHouse) -> None:
    house.provider.plans.append(fails(OutcomeUnknownError("No answer.")))
    await house.operator("ask book to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(minutes=5)
    assert len(by_hand(house)) == 1


async def test_what_may_work_later_is_tried_later_with_a_sentence(house: PaperHouse) -> None:
    house.provider.plans.append(fails(TryLaterError("451 greylisted, come back.")))
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(seconds=11)
    assert "451 greylisted" in house.card("2.1").outcome
    await house.later(minutes=1)
    assert len(by_hand(house)) == 1


async def test_what_was_refused_for_good_waits_on_a_card(house: PaperHouse) -> None:
    house.provider.plans.append(fails(RefusedError("550 no such user.")))
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(seconds=11)
    assert house.card().kind == "stuck"
    assert "550 no such user." in " ".join(house.machine.history.stuck_lines())
    await house.press("Try again")
    assert len(by_hand(house)) == 1


async def test_a_connector_that_breaks_leaves_an_unknown_not_a_guess(house: PaperHouse) -> None:
    house.provider.plans.append(fails(RuntimeError("boom")))
    await house.operator("ask send to=anna@acme.example body=Hello")
    await house.press("Approve")
    await house.later(seconds=11)
    assert house.card().kind == "unknown"


async def test_two_presses_at_one_instant_settle_a_card_once(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    yes, no = house.button("Approve"), house.button("Reject")
    replies = await asyncio.gather(
        *(house.runner.pressed(f"y{n}", *yes, OPERATOR, PLACE) for n in range(5)),
        *(house.runner.pressed(f"n{n}", *no, OPERATOR, PLACE) for n in range(5)),
    )
    await house.runner.settled()
    assert len([reply for reply in replies if reply in {"Approved.", "Rejected. Nothing was done."}]) == 1
    assert len([reply for reply in replies if reply.startswith("That one is settled")]) == 9
    assert len(by_hand(house)) <= 1


async def test_a_redelivered_message_is_one_task_also_after_a_restart(house: PaperHouse) -> None:
    first = await house.operator("ask post to=anna@acme.example body=Hello", event_id="same")
    assert await house.operator("ask post to=anna@acme.example body=Hello", event_id="same") == first
    await house.restart()
    assert await house.operator("ask post to=anna@acme.example body=Hello", event_id="same") == first
    assert len(house.channel.cards) == 1


async def test_a_redelivered_press_counts_once(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    assert await house.press("Approve", event_id="same") == "Approved."
    assert len(by_hand(house)) == 1
    handle = house.runner.card("2.1")
    assert handle is not None


async def test_an_edit_makes_a_new_card_and_voids_the_old_one(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    old, verb = house.button("Approve")
    await house.press("Edit", edits={"0.body": "Hello again"})
    card = house.card()
    assert card.revision == 2
    assert card.body == "Hello again"
    assert any("Hello again" in change for change in card.changes)
    assert "changed since" in await house.press_handle(old, verb)
    assert by_hand(house) == []
    await house.press("Approve")
    assert house.provider.accepted[0][1]["body"] == "Hello again"


async def test_a_new_recipient_is_marked(house: PaperHouse) -> None:
    await house.operator("ask post to=billing@acme.example,new@nobody.example body=Hello")
    marks = {row.value: row.mark for row in house.card().rows if row.label == "To"}
    assert marks == {"billing@acme.example": "", "new@nobody.example": "NEW"}


async def test_pause_stops_what_was_approved_and_resume_goes_on(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.operator("/pause")
    await house.press("Approve")
    await house.later(minutes=10)
    assert by_hand(house) == []
    await house.operator("/resume")
    await house.runner.settled()
    assert len(by_hand(house)) == 1


async def test_a_limit_holds_and_says_which(tmp_path: Path) -> None:
    from decimal import Decimal

    policy = Policy(limits=(Limit(Decimal(100), "EUR", days=1, action="paper"),))
    async with PaperHouse(tmp_path / "home", policy=policy) as house:
        for number in range(4):
            await house.operator(f"ask pay to=x{number} amount=40.00 EUR")
            reply = await house.press("Approve")
        assert "limit" in reply
        assert len(by_hand(house)) == 2
        assert house.card().state == "pending"
        await house.later(hours=25)
        assert await house.press("Approve", house.card().id) == "Approved."


async def test_never_means_the_tool_is_gone(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=Policy(rules=(Rule("paper.pay", "refuse"),))) as house:
        await house.operator("ask pay to=x amount=40.00 EUR")
        house.expects("I will not do this")
        assert not house.channel.cards


async def test_a_shadow_card_has_no_button_that_executes_and_says_so(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=Policy(rules=(Rule("paper.*", "shadow"),))) as house:
        await house.operator("ask post to=anna@acme.example body=Hello")
        card = house.card()
        assert card.state == "shadow"
        assert [button.verb for button in card.buttons] == ["agree", "disagree"]
        from bot.approvals import handle

        secret = house.runner._staff.secret
        assert "rehearsal" in await house.press_handle(handle(secret, card.id, 1), "approve")
        assert by_hand(house) == []


async def test_a_delegate_decides_within_bounds(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("paper.pay",), amount_max="50.00 EUR")
    actor = Actor(platform="web", user="anna", account="local")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await house.operator("ask pay to=x amount=80.00 EUR")
        assert "up to 50.00 EUR" in await house.press("Approve", actor=actor)
        await house.operator("ask pay to=x amount=30.00 EUR")
        assert await house.press("Approve", actor=actor) == "Approved."
        assert len(by_hand(house)) == 1


async def test_after_a_restore_nothing_goes_out_by_itself(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.operator("ask send to=anna@acme.example body=Hi")
    await house.press("Approve", "3.1")
    before = house.button("Approve", "2.1")
    await house.stop()
    house._build()
    touched = house.runner.restored("backup.tar.gz")
    assert touched == 2
    await house._run()
    await house.later(days=1)
    assert by_hand(house) == []
    assert "settled" in await house.press_handle(*before)
    assert [card.kind for card in house.machine.history.waiting()] == ["unknown", "unknown"]
    assert house.machine.log.fact("epoch") == "2"


async def test_a_full_disk_is_told_and_nothing_is_acknowledged(
    house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    house.machine.database.before_commit.insert(0, full)
    with pytest.raises(NotWrittenError, match="full"):
        await house.runner.heard("full", "ask post to=a@b.example body=x", OPERATOR, PLACE)
    house.machine.database.before_commit.pop(0)
    await house.operator("ask post to=a@b.example body=x", event_id="full")
    assert house.card().state == "pending"


async def test_replay_finds_no_difference(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    await house.press("Approve")
    await house.later(seconds=11)
    await house.operator("ask send to=new@nobody.example body=Hello")
    await house.press("Reject")
    assert [str(each) for each in compare(house.machine.database, house.machine.log, replayed)] == []
    assert list(house.machine.log.verify()) == []


async def test_replay_finds_a_row_somebody_changed(house: PaperHouse) -> None:
    from sqlalchemy import update

    from memory.projections import ledger

    await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    await house.press("Approve")
    await house.later(seconds=11)
    await house.machine.database.write(lambda tx: tx.execute(update(ledger).values(amount="1.00")))
    found = compare(house.machine.database, house.machine.log, replayed)
    assert {each.table for each in found} == {"ledger"}


async def test_a_second_process_on_the_same_home_says_so(house: PaperHouse) -> None:
    from memory.database import Database

    with pytest.raises(StorageError, match="Another Soloist"):
        Database.open(house.home)


async def test_the_digest_comes_once_a_day_also_over_restarts(house: PaperHouse) -> None:
    await house.later(hours=23)  # the next morning at nine
    digests = [message for message in house.channel.said if message.kind == "digest"]
    assert len(digests) == 1
    for part in ("Done", "Waiting for you", "Stuck", "Money"):
        assert part in digests[0].text
    await house.restart()
    await house.later(hours=1)
    assert len([message for message in house.channel.said if message.kind == "digest"]) == 1
    await house.later(hours=24)
    assert len([message for message in house.channel.said if message.kind == "digest"]) == 2


async def test_a_card_shown_on_two_channels_converges_on_both(tmp_path: Path) -> None:
    from bot.testing import PaperChannel

    slack, telegram = PaperChannel("slack", "C1"), PaperChannel("telegram", "77")
    async with PaperHouse(tmp_path / "home", channels={"slack": slack, "telegram": telegram}) as house:
        await house.operator("ask post to=anna@acme.example body=Hello")
        assert [len(channel.copies) for channel in (slack, telegram)] == [1, 1]
        ref = next(iter(slack.copies))
        assert house.runner.card_of("slack", "C1", ref) == "2.1"
        await house.press("Approve")
        for channel in (slack, telegram):
            assert [card.state for card in channel.copies.values()] == ["approved"]
            assert "Done as" in next(iter(channel.copies.values())).outcome
        await house.restart()
        assert [len(channel.copies) for channel in (slack, telegram)] == [1, 1], "nothing is shown again"


@pytest.mark.parametrize("verb", ["send", "pay"])
async def test_work_that_takes_a_while_says_so_in_the_place_where_its_answer_will_stand(tmp_path: Path, verb) -> None:
    phone = PaperChannel("telegram", "1")
    stage = asyncio.Event()
    async with PaperHouse(tmp_path / "home", channels={"telegram": phone}, people=[Person("telegram", "op")]) as house:
        house.runner._staff.patience_s = 0.0
        agent = house.runner._staff.agents["paper"]
        work = agent.work

        async def slow(task, desk):
            await stage.wait()
            if verb == "pay":
                return Proposal(say="Found nothing.")
            return await work(task, desk)

        agent.work = slow
        me, here = Actor(platform="telegram", user="op", origin=Origin.OPERATOR), phone.place
        await house.runner.heard("1", f"ask {verb} body=Hi", me, here)
        async with asyncio.timeout(120):
            while not phone.said:  # noqa: ASYNC110 - the hint is not part of what is waited for
                await asyncio.sleep(0)
        assert [(each.id.rpartition(".")[2], each.text) for each in phone.said] == [("w", "Working on it…")]
        stage.set()
        await house.runner.settled()
        ids = {each.id for each in phone.said}
        assert len(ids) == 1  # the answer took its place
        assert phone.words[-1] == ("Found nothing." if verb == "pay" else "Here it is:")
        assert bool(phone.cards) is (verb == "send")


class Unanswered(PaperChannel):
    """Shows the first words and is never heard of again; what stands there can be looked for."""

    async def say(self, place: Place, message: Message) -> str:
        ref = await super().say(place, message)
        if len(self.said) == 1:
            await asyncio.Event().wait()
        return ref

    async def find(self, place: Place, message: Message, apart: Collection[str]) -> str:
        del place, apart
        return "m1" if any(each.id == message.id for each in self.said) else ""


@pytest.mark.parametrize("looks", [True, False])
async def test_what_said_that_it_works_and_was_not_answered_for_is_looked_for_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, looks: bool
) -> None:
    if not looks:  # the twin: a channel that cannot look leaves it standing there
        monkeypatch.delattr(Unanswered, "find")
    phone = Unanswered("telegram", "1")
    async with PaperHouse(tmp_path / "home", channels={"telegram": phone}, people=[Person("telegram", "op")]) as house:
        house.runner._staff.patience_s = 0.0

        async def slow(*_: object) -> Proposal:
            await asyncio.Event().wait()
            raise AssertionError

        house.runner._staff.agents["paper"].work = slow
        me = Actor(platform="telegram", user="op", origin=Origin.OPERATOR)
        await house.runner.heard("1", "ask send body=Hi", me, phone.place)
        async with asyncio.timeout(120):
            while not phone.said:  # noqa: ASYNC110 - nobody is told that it stands there
                await asyncio.sleep(0)
        await house.restart()
        await house.runner.settled()
        async with asyncio.timeout(120):  # nothing is left open, once the last of it is written
            while await house.machine.database.write(  # noqa: ASYNC110 - nobody is told that it is written
                lambda tx: tx.exec_driver_sql("SELECT ref FROM shown WHERE what LIKE '%.w'").all()
            ):
                await asyncio.sleep(0)
        assert bool(phone.cards), "the answer came"
        assert [each.text for each in phone.said if each.instead == "m1"] == (["Here it is:"] if looks else [])


async def test_a_delegate_cannot_let_go_what_the_operator_stopped(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE)
    actor = Actor(platform="web", user="anna", account="local")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await house.operator("/pause")
        await house.operator("/resume", actor=actor)
        house.expects("Only the operator can say that")
        await house.operator("ask post to=anna@acme.example body=Hello")
        await house.press("Approve")
        assert by_hand(house) == []
        await house.operator("/resume")
        await house.runner.settled()
        assert len(by_hand(house)) == 1


async def test_a_card_whose_connector_is_gone_says_so_and_waits(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    handle, verb = house.button("Approve")
    del house.runner.catalogue.actions["paper.post"]
    assert "not set up any more" in await house.press_handle(handle, verb)
    assert by_hand(house) == []


async def test_a_daily_anchor_shows_a_line_cut_off_a_tasks_end(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.press("Reject")
    await house.later(hours=23)  # the next morning
    await house.later(minutes=1)
    assert list(house.machine.log.verify()) == []
    await house.stop()
    with sqlite3.connect(house.home / "soloist.db") as raw:
        assert raw.execute("SELECT count(*) FROM anchors").fetchone() == (2,)  # one a day
        raw.execute("DELETE FROM events WHERE task = 2 AND seq = (SELECT max(seq) FROM events WHERE task = 2)")
    raw.close()
    house._build()
    assert any("task 2" in str(each) for each in house.machine.log.verify())


class Door(Connector):
    """Listens until it is told to stop, and says in which order it was told."""

    service = "door"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.opened = asyncio.Event()

    async def listen(self, deliver: Deliver) -> None:
        self.opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append("stop listening")

    async def close(self) -> None:
        self.told.append("close")


async def test_a_connection_is_closed_once_nobody_listens_on_it(tmp_path: Path) -> None:
    door = Door()
    async with PaperHouse(tmp_path / "home", connectors={"door": door}):
        await door.opened.wait()
    assert door.told[:2] == ["stop listening", "close"]


async def test_what_one_transaction_writes_stands_at_one_time_and_a_pause_in_it_holds_at_once(
    house: PaperHouse,
) -> None:
    chronicle = house.runner.chronicle

    def work(tx: Tx) -> Outcome:
        began = house.clock()
        task = tx.next_task()
        for text in ("one", "two"):
            said = chronicle.advance(tx, task, Said(message="", text=text), actor="soloist", cause="")
            assert said.lines[0].at == began
            house.clock.at += timedelta(seconds=1)
        before = chronicle._house_in(tx).paused
        chronicle.advance(tx, HOUSE, Paused(scope="all", by=OPERATOR), actor="soloist", cause="")
        assert (before, chronicle._house_in(tx).paused) == (frozenset(), {"all"}), (
            "twin: the house as it was is stale now"
        )
        return said

    await chronicle.write(work)
    later = await chronicle.write(
        lambda tx: chronicle.advance(tx, tx.next_task(), Said(message="", text="three"), actor="soloist", cause="")
    )
    assert later.lines[0].at == house.clock(), "another transaction stands at its own time"
    assert [str(each) for each in compare(house.machine.database, house.machine.log, replayed)] == []

"""Words are taken out of history, and the chain still proves that nothing else was touched."""

from datetime import UTC, datetime

import pytest

from memory.database import Database
from memory.erased import MARK, ErasedFile, Strike, again, blank, erase, sentences, tasks_with
from memory.events import Actor, ItemArrived, MessageReceived, Place
from memory.line import GENESIS, Ordered
from memory.log import Log

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB = Strike(["Bob Miller", "bob@acme.example"])


@pytest.fixture
def log(tmp_path):
    with Database.open(tmp_path) as database:
        made = Log(database)
        say(made, "invoice Acme", "tell Bob Miller\nand Eva")
        say(made, "nothing of his here")
        yield made


def say(log, *texts):
    def work(tx):
        task, before = tx.next_task(), GENESIS
        for seq, text in enumerate(texts, 1):
            event = MessageReceived(text=text, actor=Actor(platform="web"), place=Place(channel="web"))
            before = tx.append(task, seq, before, event, at=AT, actor="web:me", cause="", ordered=Ordered()).hash
        return task

    return log.transact(work).result()


def texts(log, task):
    return [line.event.text for line in log.lines(task)]


def test_the_line_that_names_somebody_goes_and_the_chain_holds(log) -> None:
    changed = log.transact(lambda tx: erase(tx, 1, BOB)).result()
    assert texts(log, 1) == ["invoice Acme", f"{MARK}\nand Eva"]
    assert [each["seq"] for each in changed] == [2]
    assert list(log.verify()) == []


def test_the_negative_twin_a_line_changed_by_hand_breaks_the_chain(log) -> None:
    log.database.write_now(
        lambda tx: tx.exec_driver_sql("UPDATE events SET body = replace(body, 'Bob', 'Rob') WHERE task = 1")
    )
    assert [str(error) for error in log.verify()]


def test_an_erased_line_cannot_be_told_from_its_seal(log) -> None:
    """The salt is gone: the seal of the same words in another line is another one."""
    log.transact(lambda tx: erase(tx, 1, BOB)).result()
    same = say(log, "invoice Acme", "tell Bob Miller\nand Eva")
    log.transact(lambda tx: erase(tx, same, BOB)).result()
    with log.database.read() as tx:
        seals = [row[0] for row in tx.exec_driver_sql("SELECT salt FROM events WHERE length(salt) = 32")]
    assert len(set(seals)) == 2


def test_only_tasks_that_name_them_are_found(log) -> None:
    assert list(tasks_with(log.database, BOB)) == [1]


def test_what_they_sent_goes_whole(log) -> None:
    def work(tx):
        task = tx.next_task()
        data = {"from": {"name": "Bob Miller", "address": "bob@acme.example"}, "amount": "12.00 EUR"}
        event = ItemArrived(service="mail", kind="mail", data=data, text="My knee hurts", actor=Actor(platform="mail"))
        tx.append(task, 1, GENESIS, event, at=AT, actor="mail", cause="", ordered=Ordered())
        return task

    task = log.transact(work).result()
    log.transact(lambda tx: erase(tx, task, BOB)).result()
    (line,) = log.lines(task)
    assert line.event.text == MARK
    assert line.event.data == {"from": {"name": MARK, "address": MARK}, "amount": "12.00 EUR"}
    assert list(log.verify()) == []


def test_what_a_backup_brings_back_is_erased_again(log, tmp_path) -> None:
    with log.database.read() as tx:
        before = tx.exec_driver_sql("SELECT body, salt FROM events WHERE task = 1 AND seq = 2").one()
    file = ErasedFile(tmp_path / "memory")
    file.add(log.transact(lambda tx: erase(tx, 1, BOB)).result())
    log.database.write_now(
        lambda tx: tx.exec_driver_sql("UPDATE events SET body = ?, salt = ? WHERE task = 1 AND seq = 2", tuple(before))
    )
    assert texts(log, 1)[1] == "tell Bob Miller\nand Eva"
    assert log.transact(lambda tx: again(tx, file.lines())).result() == {1}
    assert texts(log, 1)[1] == f"{MARK}\nand Eva"
    assert log.transact(lambda tx: again(tx, file.lines())).result() == set()
    assert b"Bob" not in file.path.read_bytes()


@pytest.mark.parametrize(
    ("words", "found"),
    [("Bob Miller", True), ("bob-miller", True), ("BOB  MILLER's", True), ("Bobby Miller", False), ("Bob, Miller", True),
     ("Bob Millers", False), ("xbob@acme.example", False), ("<bob@acme.example>", True), ("", False)],
)  # fmt: skip
def test_a_name_is_found_however_it_is_written(words, found) -> None:
    assert BOB.finds(words) is found


def test_nothing_named_strikes_nothing() -> None:
    assert not Strike([]).finds("anything")
    assert not Strike(["", "…"]).finds("anything at all")


def test_a_value_that_is_nothing_else_becomes_empty_and_keys_go_too() -> None:
    assert BOB.out_of({"contact": "Bob Miller", "n": 3, "bob miller": ["x"]}) == {"contact": "", "n": 3, MARK: ["x"]}
    assert blank({"type": "Said", "text": "Hi", "amount": "1.00 EUR", "at": "2026-03-02T09:00:00Z"}) == {
        "type": "Said", "text": MARK, "amount": "1.00 EUR", "at": "2026-03-02T09:00:00Z",
    }  # fmt: skip
    assert sentences("Hello Sam. The knee is at the doctor's! Bye") == ["The knee is at the doctor's"]

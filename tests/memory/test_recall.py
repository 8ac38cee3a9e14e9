"""Remember, recall, replace, forget: what is kept, who may see it, why it was found, and that it is gone when it is."""

import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import burial, recollections, tombstones
from memory.database import Database
from memory.erasure import scrub
from memory.events import Origin
from memory.recall import EVERYWHERE, Memory, Record, RecordError, Scope
from tests.memory.paper_embedder import PaperEmbedder

DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def day(number):
    return DAY + timedelta(days=number)


def everything_on_disk(home):
    return b"\n".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def database(home):
    with Database.open(home) as database:
        yield database


@pytest.fixture
def memory(database, home):
    return Memory.open(database, home / "memory", PaperEmbedder())


def texts(hits):
    return [hit.record.text for hit in hits]


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_found_at_once_and_says_why(memory) -> None:
    memory.remember(
        [
            Record("Acme pays within 14 days.", client="acme", source="mail:7", speaker="Dana"),
            Record("The logo is green."),
        ]
    )
    hits = memory.recall("within how many days does acme pay?")
    assert texts(hits)[0] == "Acme pays within 14 days."
    assert hits[0].source == "mail:7"
    assert hits[0].score == pytest.approx(sum(hits[0].terms.values()))
    assert {"meaning", "words", "whose"} <= set(hits[0].terms)
    assert "words" in hits[0].why()
    assert (hits.lexical_only, hits.note, hits.pending) == (False, "", 0)


def test_without_a_model_words_find_it_and_the_answer_says_so(database, home) -> None:
    memory = Memory.open(database, home / "memory", None)
    memory.remember([Record("Invoices go out on Fridays."), Record("The logo is green.")])
    hits = memory.recall("which day do invoices go out")
    assert texts(hits) == ["Invoices go out on Fridays."]
    assert hits.lexical_only
    assert "words alone" in hits.note


def test_a_model_that_arrives_later_gives_meaning_to_what_waited(database, home) -> None:
    Memory.open(database, home / "memory", None).remember([Record("Invoices go out on Fridays.")])
    memory = Memory.open(database, home / "memory", PaperEmbedder())
    assert memory.recall("invoices").pending == 1
    assert memory.drain() == 1
    hits = memory.recall("invoices")
    assert hits.pending == 0
    assert "meaning" in hits[0].terms


def test_many_at_once_are_found_by_their_meaning_without_further_ado(memory) -> None:
    memory.remember([Record(f"old remark {n}", source=str(n)) for n in range(40)], wait=False)
    assert memory.recall("remark").pending == 40
    memory.remember([Record(f"Dana said something new, {n}", speaker="Dana", source=f"n{n}") for n in range(300)])
    hits = memory.recall("what did Dana say that is new", k=5)
    assert hits.pending == 40, "what waited before still waits"
    assert all({"meaning", "words", "who"} <= set(hit.terms) for hit in hits)


def test_a_store_that_told_its_full_text_row_by_row_goes_on(tmp_path) -> None:
    with Database.open(tmp_path) as database:
        told = "INSERT INTO recollections_fts(rowid, text, scope) VALUES (new.id, new.text, new.scope);"
        database.write_now(
            lambda tx: tx.exec_driver_sql(
                f"CREATE TRIGGER recollections_told AFTER INSERT ON recollections BEGIN {told} END"
            )
        )
    with Database.open(tmp_path) as database:
        memory = Memory.open(database, tmp_path / "memory")
        memory.remember([Record(f"invoice number {n}", source=str(n)) for n in range(3)])
        assert len(memory.recall("invoice")) == 3
        memory.forget([1, 2, 3])
        with database.read() as tx:
            query = "SELECT COUNT(*) FROM recollections_fts WHERE recollections_fts MATCH 'invoice'"
            assert tx.exec_driver_sql(query).scalar() == 0


def test_another_model_never_meets_the_old_ones_vectors(database, home) -> None:
    Memory.open(database, home / "memory", PaperEmbedder()).remember([Record("Invoices go out on Fridays.")])
    memory = Memory.open(database, home / "memory", PaperEmbedder(stamp="paper-2"))
    hits = memory.recall("invoices")
    assert (texts(hits), hits.pending, "meaning" in hits[0].terms) == (["Invoices go out on Fridays."], 1, False)
    memory.drain()
    assert memory.recall("invoices")[0].terms["meaning"] == 1.0


def test_the_turn_beside_the_question_answers_it(memory) -> None:
    memory.remember(
        [
            Record("And what about hosting?", thread="t", position=1, speaker="Ines"),
            Record("Leave that to us, 40 a month.", thread="t", position=2, speaker="Tom"),
            Record("Leave the keys at the desk.", thread="u", position=1),
        ]
    )
    hits = memory.recall("hosting")
    assert texts(hits)[:2] == ["And what about hosting?", "Leave that to us, 40 a month."]
    assert hits[1].terms["neighbour"] > 0


def test_a_named_speaker_and_a_named_time_move_the_right_turn_up(memory) -> None:
    memory.remember(
        [
            Record("The budget is 5,000.", speaker="Dana", at=day(0)),
            Record("The budget is 7,000.", speaker="Tom", at=day(0)),
            Record("The budget is 9,000.", speaker="Tom", at=day(70)),
        ]
    )
    assert texts(memory.recall("What budget did Dana name?"))[0] == "The budget is 5,000."
    assert texts(memory.recall("What budget did Tom name in May?"))[0] == "The budget is 9,000."
    assert texts(memory.recall("What budget did Tom name in March?"))[0] == "The budget is 7,000."


@pytest.mark.parametrize("query", ["", "   ", "?!", "the and of", '"', "a OR b) NEAR(", "Dana", "x" * 3000, "ünï 東京"])
def test_any_question_gets_an_answer_and_never_an_error(memory, query) -> None:
    memory.remember([Record("The budget is 5,000.", speaker="Dana", thread="t", position=0)])
    memory.recall(query)
    memory.recall(query, Scope(client="nobody", thread="t"), at=day(3))


def test_what_cannot_be_kept_is_told_and_nothing_of_it_is(memory) -> None:
    for bad in (Record(" "), Record("x" * 30_000), Record("x", at=datetime(2026, 1, 1))):  # noqa: DTZ001
        with pytest.raises(RecordError, match="cannot be remembered"):
            memory.remember([Record("a good one"), bad])
    assert memory.recall("good") == []


def test_the_same_record_twice_is_one_record(memory) -> None:
    first = memory.remember([Record("Net 14.", source="mail:1"), Record("Net 14.", source="mail:2")])
    assert memory.remember([Record("Net 14.", source="mail:1")]) == first[:1]
    assert len(set(first)) == 2


# ── walls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = ("rate", "invoice", "logo", "budget", "friday", "paper", "dana", "acme")
CLIENTS = ("", "acme", "globex", "initech")


@st.composite
def stores(draw):
    count = draw(st.integers(1, 12))
    return [
        Record(
            " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))),
            client=draw(st.sampled_from(CLIENTS)),
            speaker=draw(st.sampled_from(("", "Dana", "Acme"))),
            thread=draw(st.sampled_from(("", "t", "u"))),
            position=row,
            key=draw(st.sampled_from(("", "", "terms"))),
            at=day(draw(st.integers(0, 90))),
        )
        for row in range(count)
    ]


@given(stores(), st.sampled_from(CLIENTS), st.booleans(), st.sampled_from(WORDS))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_no_scope_ever_shows_another_clients_record(tmp_path_factory, records, client, shared, word) -> None:
    home = tmp_path_factory.mktemp("store")
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", PaperEmbedder(dims=64))
        memory.remember(records)
        allowed = {client, ""} if shared and client else {client}
        question = f"{word} and the logo of Dana"
        hits = memory.recall(question, Scope(client=client, shared=shared), k=50)
        assert {hit.record.client for hit in hits} <= allowed
        assert list(memory.recall(question, Scope(client=client, shared=shared), k=50)) == list(hits)


def test_the_wall_test_would_see_a_wall_that_is_gone(memory, monkeypatch) -> None:
    """The twin: a thread that two clients share, and a neighbour fetched without the scope."""
    memory.remember(
        [
            Record("And the rate?", client="acme", thread="t", position=0),
            Record("Ninety.", client="globex", thread="t", position=1),
        ]
    )
    assert texts(memory.recall("rate", Scope(client="acme"))) == ["And the rate?"]
    for name in ("neighbours", "fetch"):
        whole = getattr(recollections, name)
        monkeypatch.setattr(recollections, name, lambda *given, whole=whole: whole(*given[:-1], EVERYWHERE))
    assert texts(memory.recall("rate", Scope(client="acme"))) == ["And the rate?", "Ninety."]


def test_every_field_of_a_scope_narrows(memory) -> None:
    one = Record(
        "rate", client="acme", project="p", task="1", tier="working", kind="fact", speaker="Dana", thread="t", at=day(5)
    )
    memory.remember([one, Record("rate")])
    for scope in (
        Scope(client="acme"), Scope(project="p"), Scope(task="1"), Scope(tier="working"), Scope(kind="fact"),
        Scope(speaker="Dana"), Scope(thread="t"), Scope(since=day(5)), Scope(until=day(6)),
    ):  # fmt: skip
        assert [hit.record.client for hit in memory.recall("rate", scope)] == ["acme"], scope
    assert len(memory.recall("rate", Scope(client="acme", shared=True))) == 2


# ── time and truth ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_of_mind_is_answered_now_then_and_as_a_history(memory) -> None:
    for number, rate in ((0, "90"), (60, "100"), (120, "110")):
        memory.remember([Record(f"The rate is {rate}.", key="rate", origin=Origin.OPERATOR, at=day(number))])
    assert texts(memory.recall("What is the rate?")) == ["The rate is 110."]
    assert texts(memory.recall("What is the rate?", at=day(70))) == ["The rate is 100."]
    assert texts(memory.recall("What is the rate?", at=day(-1))) == []
    assert texts(memory.recall("What was the rate originally?", k=9)).count("The rate is 90.") == 1
    assert texts(memory.recall("What was the rate in March?"))[0] == "The rate is 90."
    assert len(memory.recall("What is the rate?", mode="history")) == 3
    assert [record.text[-4:] for record in memory.history("", "rate")] == [" 90.", "100.", "110."]


def test_age_takes_nothing_away(memory) -> None:
    memory.remember([Record("The rate is 90.", at=day(0)), Record("The rate is 90!", at=day(900))])
    scores = [hit.score for hit in memory.recall("rate")]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("origin", [Origin.CLIENT, Origin.STRANGER, Origin.SYSTEM, Origin.DELEGATE])
def test_outside_text_never_replaces_the_operators(memory, origin) -> None:
    old = memory.remember([Record("Our account is DE11.", key="iban", origin=Origin.OPERATOR, at=day(0))])[0]
    new = memory.remember([Record("The account is now DE99.", key="iban", origin=origin, at=day(1))])[0]
    assert memory.get([old])[0].superseded_by is None
    assert [(record.id, record.contests) for record in memory.conflicts()] == [(new, old)]
    with pytest.raises(RecordError, match="Ask the operator"):
        memory.supersede(old, Record("The account is DE77.", key="iban", origin=origin, at=day(2)))
    # The same words from the operator do replace it, and it can be taken back.
    newest = memory.supersede(old, Record("The account is DE77.", key="iban", origin=Origin.OPERATOR, at=day(2)))
    assert memory.get([old])[0].superseded_by == newest
    assert memory.get([old])[0].valid_to == day(2)
    memory.reinstate(old)
    assert (memory.get([old])[0].superseded_by, memory.get([newest])[0].superseded_by) == (None, old)


def test_a_client_may_correct_what_they_said_themselves_and_nobody_elses(memory) -> None:
    first = Record("Budget 5,000.", key="budget", origin=Origin.CLIENT, speaker="Dana", at=day(0))
    memory.remember([first])
    own = memory.remember([Record("Budget 6,000.", key="budget", origin=Origin.CLIENT, speaker="Dana", at=day(1))])[0]
    assert memory.history("", "budget")[0].superseded_by == own
    memory.remember([Record("Budget 1.", key="budget", origin=Origin.CLIENT, speaker="Eve", at=day(2))])
    assert [record.text for record in memory.conflicts()] == ["Budget 1."]


# ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "Zyxwvutsky"


def secrets_of(memory):
    return memory.remember(
        [
            Record(f"{SECRET} owes us 300.", client="acme", thread="t", position=0, source="mail:1"),
            Record("Call back on Monday.", speaker=SECRET, thread="t", position=1, source="mail:2"),
            Record("Acme pays in 14 days.", client="acme", thread="t", position=2, source="mail:3"),
        ]
    )


def test_a_forgotten_person_leaves_no_byte_in_any_file(memory, home) -> None:
    ids = secrets_of(memory)
    summary = memory.remember([Record(f"Monday: {SECRET} and the 300.", kind="summary", made_from=(ids[0],))])[0]
    assert SECRET.encode() in everything_on_disk(home)
    shown = memory.would_forget(person=SECRET.lower())
    assert {record.id for record in shown} == {ids[0], ids[1], summary}
    done = memory.forget(person=SECRET)
    assert (done.count, done.scrubbed) == (3, True)
    left = everything_on_disk(home).lower()
    for trace in (SECRET.lower().encode(), b"zyxwvut", b"owes us", b"call back"):
        assert trace not in left
    assert b"acme pays in 14 days" in left
    assert texts(memory.recall(f"{SECRET} 300 Monday")) == ["Acme pays in 14 days."]


@pytest.mark.parametrize(
    "name", ["Åsa Xqvist", "Ana María Zúñiga-Xq", "O'Xqbrien", "Xq van der Berg", "李小龍xq", "mark xq"]
)
def test_any_person_is_forgotten_however_they_are_written(memory, home, name) -> None:
    about = [
        Record(f"I met {name} at the fair.", source="1"),
        Record("Nice weather.", speaker=name.upper(), source="2"),
        Record("Nice day.", author=name, source="3"),
        Record(f"({name.lower()}), you know.", client="acme", source="4"),
    ]
    other = [Record("I marked the place.", source="5"), Record("Van rental for Berg Ltd.", source="6")]
    memory.remember(about + other)
    assert memory.forget(person=name).count == 4
    assert len(memory.recall("marked place van rental met weather day")) == 2
    left = everything_on_disk(home).decode(errors="ignore").casefold()
    # Long pieces only: two letters stand in any vector by chance.
    for trace in (name.casefold(), "at the fair", "nice weather", "nice day", "you know"):
        assert trace not in left


def test_a_plain_delete_would_have_left_bytes(memory, database, home) -> None:
    """The twin: the same rows deleted without the merge and the checkpoint."""
    ids = secrets_of(memory)
    database.write_now(lambda tx: burial.bury(tx, ids, []))
    assert SECRET.lower().encode() in everything_on_disk(home).lower()
    assert memory.scrub()
    assert SECRET.lower().encode() not in everything_on_disk(home).lower()


def test_what_is_deleted_while_a_scrub_ends_is_scrubbed_as_well(memory, database, home) -> None:
    """Two may forget at once: the one that ends first takes only its own mark away."""
    ids = secrets_of(memory)
    database.write_now(lambda tx: burial.bury(tx, ids[:1], []))
    later = [ids[1:]]

    def meanwhile(step: str) -> None:
        if step == "scrub: done" and later:
            several = later.pop()
            database.write_now(lambda tx: burial.bury(tx, several, []))

    assert scrub(database, meanwhile)
    assert not later
    assert SECRET.lower().encode() not in everything_on_disk(home).lower()


def test_a_scrub_that_a_reader_stopped_is_due_until_it_is_done(memory, database, home, monkeypatch) -> None:
    monkeypatch.setattr("memory.erasure.CHECKPOINT_TRIES", 1)
    ids = secrets_of(memory)
    with database.read() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM recollections").scalar()
        memory.forget(ids)
        assert memory.unscrubbed
    assert memory.scrub()
    assert not memory.unscrubbed
    assert SECRET.lower().encode() not in everything_on_disk(home).lower()


def test_a_vector_of_the_forgotten_is_gone_too(memory, home) -> None:
    ids = secrets_of(memory)
    trace = PaperEmbedder().embed([f"{SECRET} owes us 300."]).astype(np.float16).tobytes()[:64]
    assert trace in everything_on_disk(home)
    memory.forget(ids[:1])
    assert trace not in everything_on_disk(home)


def test_neither_a_replay_nor_a_restored_backup_brings_it_back(home, tmp_path) -> None:
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", PaperEmbedder())
        secrets_of(memory)
    backup = tmp_path / "backup.db"
    shutil.copyfile(home / "soloist.db", backup)
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", PaperEmbedder())
        memory.forget(person=SECRET)
        assert secrets_of(memory)[:2] == [0, 0]  # the replay
    shutil.copyfile(backup, home / "soloist.db")
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", PaperEmbedder())
        assert SECRET.encode() not in everything_on_disk(home)
        assert [hit.record.text for hit in memory.recall(f"{SECRET} Monday")] == ["Acme pays in 14 days."]


def test_without_the_list_the_backup_would_bring_it_back(home, tmp_path) -> None:
    """The twin."""
    with Database.open(home) as database:
        secrets_of(Memory.open(database, home / "memory", PaperEmbedder()))
    backup = tmp_path / "backup.db"
    shutil.copyfile(home / "soloist.db", backup)
    with Database.open(home) as database:
        Memory.open(database, home / "memory", PaperEmbedder()).forget(person=SECRET)
    shutil.copyfile(backup, home / "soloist.db")
    (home / "memory" / "forgotten").unlink()
    with Database.open(home) as database:
        Memory.open(database, home / "memory", PaperEmbedder())
        assert SECRET.encode() in everything_on_disk(home)


def test_a_new_database_beside_the_old_list_still_refuses_what_was_forgotten(home) -> None:
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", None)
        memory.forget(secrets_of(memory)[:1])
    (home / "soloist.db").unlink()
    with Database.open(home) as database:
        assert secrets_of(Memory.open(database, home / "memory", None))[0] == 0


def test_the_list_of_another_database_is_refused(home, tmp_path) -> None:
    with Database.open(home) as database:
        Memory.open(database, home / "memory", None)
    with Database.open(tmp_path / "other") as database:
        Memory.open(database, tmp_path / "other" / "memory", None)
        with pytest.raises(tombstones.ForeignTombstonesError, match="own folder"):
            Memory.open(database, home / "memory", None)


def test_forgetting_a_client_takes_its_namespace_and_no_more(memory) -> None:
    secrets_of(memory)
    assert memory.forget(client="acme").count == 2
    assert texts(memory.recall("Monday days owes")) == ["Call back on Monday."]
    assert memory.forget(client="acme").count == 0


def test_what_the_forgotten_had_replaced_holds_again(memory) -> None:
    memory.remember([Record("The rate is 90.", key="rate", origin=Origin.OPERATOR, at=day(0))])
    new = memory.remember([Record("The rate is 100.", key="rate", origin=Origin.OPERATOR, at=day(9))])
    memory.forget(new)
    assert texts(memory.recall("What is the rate?")) == ["The rate is 90."]


# ── the index is only an index ────────────────────────────────────────────────────────────────────────────────────


def many(count, start=0):
    rng = np.random.default_rng(start)
    return [
        Record(
            " ".join(rng.choice(WORDS, 5)) + f" number {start + row}",
            client=CLIENTS[(start + row) % 4],
            thread=f"t{row // 7}",
            position=row,
        )
        for row in range(count)
    ]


QUESTIONS = [f"{word} {other} number {n}" for n, (word, other) in enumerate(zip(WORDS, reversed(WORDS), strict=True))]


def answers(memory):
    scopes = (EVERYWHERE, Scope(client="acme"), Scope(client="globex", shared=True), Scope(thread="t3"))
    return [[(hit.record.id, hit.score) for hit in memory.recall(q, s)] for q in QUESTIONS for s in scopes]


def small(database, home, **more):
    return Memory.open(database, home / "memory", PaperEmbedder(), exact_max=50, **more)


@given(st.lists(st.sampled_from(("add", "forget", "seal", "wait")), min_size=1, max_size=6), st.integers(0, 99))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_rebuilt_index_gives_the_answers_of_the_grown_one(tmp_path_factory, steps, seed) -> None:
    home = tmp_path_factory.mktemp("grown")
    with Database.open(home) as database:
        memory = small(database, home)
        memory.remember(many(40))
        memory.drain()
        for turn, step in enumerate(steps):
            start = 100 * (turn + 1)
            if step == "forget":
                memory.forget([seed % 40 + 1, start % 7 + 1])
            else:
                ids = memory.remember(many(60 if step == "seal" else 5, start), wait=False)
                assert all(ids)
                if step != "wait":
                    memory.drain()
        grown = answers(memory)
        shutil.rmtree(home / "memory" / "index", ignore_errors=True)
        assert answers(small(database, home, wait=True)) == grown
        memory.rebuild()
        assert answers(memory) == grown


@pytest.mark.parametrize("damage", ["missing", "short", "flipped", "empty", "header", "older"])
def test_a_torn_index_is_rebuilt_from_the_store(database, home, damage) -> None:
    memory = small(database, home)
    memory.remember(many(80), PaperEmbedder().embed([record.text for record in many(80)]))
    whole = answers(memory)
    (path,) = (home / "memory" / "index").glob("*.bin")
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "older":
        memory.forget([3])
        whole = answers(memory)
        for newer in path.parent.glob("*.bin"):
            newer.unlink()
        path.write_bytes(data)
    else:
        path.write_bytes(
            {"short": data[:-100], "flipped": data[:-9] + b"\xff" * 9, "empty": b"", "header": b"{}\n" + data}[damage]
        )
    again = small(database, home)
    again.wait_ready()
    assert again.ready
    assert answers(again) == whole
    assert len(list((home / "memory" / "index").iterdir())) == 1


def test_recall_during_a_rebuild_is_flagged(database, home) -> None:
    memory = small(database, home)
    memory.remember(many(80), PaperEmbedder().embed([record.text for record in many(80)]))
    shutil.rmtree(home / "memory" / "index")
    seen = []

    def look(step) -> None:
        if step == "rebuild: built":
            hits = later[0].recall("rate")
            seen.append((hits.lexical_only, hits.note, len(hits) > 0))

    later = [Memory(database, home / "memory", PaperEmbedder(), step=look, exact_max=50)]
    later[0]._vectors.open()
    later[0].wait_ready()
    assert [(flag, "words alone" in note, some) for flag, note, some in seen] == [(True, True, True)]
    assert later[0].recall("rate").note == ""

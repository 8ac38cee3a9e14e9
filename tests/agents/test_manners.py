"""Manners: what is said about letters is a fact like any other; what was learnt can be looked at."""

from agents.base import Letter
from agents.manners import SetManner
from agents.tone import manner_of, strays
from memory.events import Origin
from tests.agents.desk import PaperDesk, answered

MINE = "Hi Anna,\n\nThe draft is ready.\n\nCheers\nNora"


async def test_a_rule_is_kept_as_a_fact_and_holds_at_once() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, SetManner(), "never use exclamation marks")
    assert proposal.calls[0].args["summary"] == "Noted: Never use exclamation marks"
    desk.confirm(proposal)
    record = desk.record("fact", "tone/exclamation")
    assert record
    assert record.data["text"] == "Never use exclamation marks"
    assert strays("Yes!", manner_of(desk))


async def test_a_newer_rule_of_the_same_topic_takes_the_place_of_the_older() -> None:
    desk = PaperDesk()
    for text in ("sign off with Cheers", "sign off with Best wishes"):
        desk.confirm(await answered(desk, SetManner(), text))
    assert manner_of(desk).sign_off == "Best wishes"
    assert len(desk.records("fact")) == 1
    for text in ("never say kindly", "never say hereby"):
        desk.confirm(await answered(desk, SetManner(), text))
    assert len(desk.records("fact")) == 3, "words are forbidden one by one"


async def test_a_rule_may_be_for_one_client() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, SetManner(client="Acme"), "use du with Acme"))
    assert manner_of(desk, "acme").rule("address")
    assert not manner_of(desk, "globex").rule("address")


async def test_what_is_known_is_told_with_its_evidence() -> None:
    desk = PaperDesk()
    assert "so far 0" in (await answered(desk, SetManner(), "how do my letters sound?")).say
    desk.sent = [Letter(MINE, edited=True)] * 6
    told = (await answered(desk, SetManner(), "how do my letters sound?")).say
    assert "measured on the last 6, 6 of them changed by you" in told
    assert "- greets with Hi (100 % of letters)" in told


async def test_words_from_outside_make_no_rule() -> None:
    proposal = await answered(PaperDesk(), SetManner(), "sign off with Cheers", origin=Origin.STRANGER)
    assert not proposal.calls

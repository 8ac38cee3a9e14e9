"""What every agent owes, ours or a stranger's: phrases to learn from, words for the help, and proposals that fit."""

import inspect

import pytest
from pydantic_core import PydanticUndefined

from agents import discover
from agents.base import Agent, Intent, Risk
from agents.plan import kinds_of
from agents.slots.slot import SlotKind
from bot.books import ACTIONS as BOOKS
from connectors import discover as discover_connectors

EXAMPLES_MIN, CHECKS_MIN, NOT_MINE_MIN = 15, 5, 5
AGENTS = discover()
INTENTS = [intent for agent in AGENTS.values() for intent in agent.intents]
AGREED = [
    "invoice",
    "unpaid",
    "mark_paid",
    "cancel_invoice",
    "remind_debtor",
    "revenue",
    "recurring_invoice",
    "refund",
    "payment_link",
    "add_client",
    "who_is",
    "update_client",
    "send_proposal",
    "onboard",
    "follow_up",
    "write_mail",
    "remind_me",
    "book_meeting",
    "find_time",
    "move_meeting",
    "cancel_meeting",
    "agenda",
    "write_post",
    "publish_post",
    "schedule_post",
    "cancel_post",
    "post_numbers",
    "look_up",
    "summarise",
    "report",
    "time_saved",
    "triage",
    "reply_mail",
    "plan_delivery",
    "project_status",
    "make_plan",
]
# Connectors that are agreed on and not written yet; each leaves this list when its file is there.
TO_COME = {
    "calendar.book", "calendar.move", "calendar.cancel", "bluesky.post", "bluesky.delete", "blog.publish",
    "blog.unpublish",
}  # fmt: skip


def plain(text: str) -> str:
    return " ".join(text.casefold().strip(" ?!.").split())


def test_every_agreed_intent_has_exactly_one_agent() -> None:
    assert sorted(intent.id() for intent in INTENTS) == sorted(AGREED)


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_says_what_it_is_for(agent: type[Agent]) -> None:
    assert inspect.getdoc(agent)
    assert inspect.getdoc(inspect.getmodule(agent))
    assert agent.work is not Agent.work
    assert inspect.iscoroutinefunction(agent.work)


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_proposes_only_actions_that_exist(agent: type[Agent]) -> None:
    known = set(BOOKS) | TO_COME
    for connector in discover_connectors().values():
        known |= {name for name, action in connector.actions().items() if action.risk is not Risk.READS}
    assert set(agent.proposes) <= known
    assert not {name for name in agent.proposes if name.endswith((".render", ".fetch", ".free"))}


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id())
def test_an_intent_can_be_learnt(intent: type[Intent]) -> None:
    examples, checks, other = map(set, (map(plain, p) for p in (intent.examples, intent.checks, intent.not_mine)))
    assert len(examples) >= EXAMPLES_MIN
    assert len(checks) >= CHECKS_MIN
    assert len(other) >= NOT_MINE_MIN
    assert not examples & checks, "a check that is trained on checks nothing"
    assert not (examples | checks) & other


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id())
def test_an_intent_explains_itself(intent: type[Intent]) -> None:
    first = (intent.__doc__ or "").strip().splitlines()[0]
    assert first.endswith(".")
    assert len(first) < 100
    fields = intent.model_fields
    for slot in intent.asks:
        assert slot in fields
    for name, field in fields.items():
        assert kinds_of(field.annotation, field.metadata) <= set(SlotKind.__args__), name
        if field.is_required():
            assert name in intent.asks, f"{intent.id()}.{name} is required, so there must be a question for it"
        else:
            assert field.default is not PydanticUndefined


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id())
def test_templates_name_slots_that_exist(intent: type[Intent]) -> None:
    for pattern in intent.patterns:
        for part in pattern.split("{")[1:]:
            assert part.partition("}")[0] in intent.model_fields, pattern


def test_no_sentence_teaches_two_intents() -> None:
    taught: dict[str, str] = {}
    for intent in INTENTS:
        for text in map(plain, (*intent.examples, *intent.checks)):
            assert taught.setdefault(text, intent.id()) == intent.id(), text


def test_a_thin_intent_would_be_noticed() -> None:
    class Thin(Intent):
        examples = ("only one",)

    with pytest.raises(AssertionError):
        test_an_intent_can_be_learnt(Thin)
    with pytest.raises(AssertionError):
        test_an_agent_proposes_only_actions_that_exist(type("Bold", (Agent,), {"proposes": ("mail.explode",)}))

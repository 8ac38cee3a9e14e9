"""What every agent owes, ours or a stranger's: phrases to learn from, words for the help, and proposals that fit."""

import inspect

import pytest
from pydantic_core import PydanticUndefined

from agents import discover
from agents.base import ActionCall, Agent, Entry, Intent, Proposal, Risk
from agents.plan import kinds_of, staff
from agents.slots.slot import SlotKind
from bot.books import ACTIONS as BOOKS
from connectors import discover as discover_connectors
from memory.events import fingerprint
from tests.agents.desk import PaperDesk, assert_balanced, task

ACTIONS = {
    **BOOKS,
    **{name: action for connector in discover_connectors().values() for name, action in connector.actions().items()},
}
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


def plain(text: str) -> str:
    return " ".join(text.casefold().strip(" ?!.").split())


def test_every_agreed_intent_has_exactly_one_agent() -> None:
    assert set(AGREED) <= {intent.id() for intent in INTENTS}


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_says_what_it_is_for(agent: type[Agent]) -> None:
    assert inspect.getdoc(agent)
    assert inspect.getdoc(inspect.getmodule(agent))
    assert agent.work is not Agent.work
    assert inspect.iscoroutinefunction(agent.work)


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_an_agent_proposes_only_actions_that_exist(agent: type[Agent]) -> None:
    known = {name for name, action in ACTIONS.items() if action.risk is not Risk.READS}
    assert set(agent.proposes) <= known | {"mcp.*"}, "what a server offers is only known where it is set up"


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
    assert intent.thinks in {"", "local", "small", "large"}
    agent = AGENTS[staff()[intent.id()].agent]
    assert set(intent.may) <= set(agent.proposes), "an intent leads to nothing that its agent may not propose"
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


SAID = {
    "client": "Acme", "money": "100.00 EUR", "day": "2026-12-01", "moment": "2026-12-01T10:00:00+01:00",
    "terms": "net 14", "span": "PT45M", "every": "FREQ=MONTHLY", "email": "anna@acme.example", "invoice": "2026-0001",
    "period": "2026-01-01/2026-12-31", "iban": "DE89370400440532013000",
}  # fmt: skip


def filled(intent: type[Intent], *, everything: bool) -> Intent:
    """Return the intent with its required slots filled, or with all of them."""
    slots = {}
    for name, field in intent.model_fields.items():
        kinds = kinds_of(field.annotation, field.metadata)
        if field.is_required() or everything:
            slots[name] = SAID[next(iter(kinds))] if kinds else "something"
    return intent.model_validate(slots)


def sound(proposal: Proposal, agent: type[Agent]) -> None:
    """Hold a proposal to what the conductor will hold it to."""
    kinds = [bool(proposal.calls), bool(proposal.ask), bool(proposal.problem), bool(proposal.plan)]
    assert sum(kinds) == 1 or (sum(kinds) == 0 and proposal.say)
    for call in proposal.calls:
        assert call.name in agent.proposes
        declared = ACTIONS.get(call.name)
        params = {param.name: param for param in declared.params} if declared else {}
        if declared:
            assert {name for name, param in params.items() if param.required} <= set(call.args), call.name
        if declared and not call.name.startswith("books."):
            assert set(call.args) <= set(params), call.name
        assert_balanced(call)
        assert not any(isinstance(value, float) for value in call.args.values())
        assert fingerprint(call)


@pytest.mark.parametrize("everything", [False, True], ids=["least", "everything"])
@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id())
async def test_whatever_the_slots_the_proposal_is_sound(intent: type[Intent], *, everything: bool) -> None:
    duty = staff()[intent.id()]
    for desk in (PaperDesk(), PaperDesk(clients={})):
        proposal = await AGENTS[duty.agent]().work(task(filled(intent, everything=everything), "do it"), desk)
        sound(proposal, AGENTS[duty.agent])
        assert {call.name for call in proposal.calls} <= set(duty.may) or duty.may == ("mcp.*",)
        assert set(duty.leads_to(filled(intent, everything=everything).model_dump())) <= set(duty.may)
        assert intent.thinks or not desk.asked, f"{intent.id()} asks a model, and `thinks` does not say so"
        if proposal.calls:
            desk.confirm(proposal)


def test_an_unsound_proposal_would_be_noticed() -> None:
    billing = AGENTS["billing"]
    for bad in (
        Proposal(),
        Proposal(ask="?", problem="!"),
        Proposal(calls=(ActionCall(name="bluesky.post"),)),
        Proposal(calls=(ActionCall(name="mail.send", args={"to": ["a@x.example"]}),)),
        Proposal(calls=(ActionCall(name="books.write", entries=(Entry(account="a", amount="1.00 EUR"),)),)),
    ):
        with pytest.raises(AssertionError):
            sound(bad, billing)


def test_a_thin_intent_would_be_noticed() -> None:
    class Thin(Intent):
        examples = ("only one",)

    with pytest.raises(AssertionError):
        test_an_intent_can_be_learnt(Thin)
    with pytest.raises(AssertionError):
        test_an_agent_proposes_only_actions_that_exist(type("Bold", (Agent,), {"proposes": ("mail.explode",)}))

"""T7: one thing changed in a payload after it was approved, or while its card waits: refused, and the chain shows it.

The fault is put where nobody could put it: into the database file, into what the process believes, and into the effect
between approval and sending. Every field of every call, nested ones included, is changed in turn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import connectors
from bot.books import ACTIONS as BOOKS_ACTIONS
from bot.effects import Perform
from bot.keeper import Keeper
from bot.state import with_item
from bot.testing import OPERATOR, PLACE
from connectors.base import Action, Connector, Json, Risk, Role
from memory.events import ActionCall, Entry, Write, fingerprint
from tests.torture.bare import BareHouse, Found, changed, no_delay

RICH = ActionCall(
    name="paper.post",
    account="me@paper.example",
    args={
        "to": ["anna@acme.example", "bob@acme.example"], "body": "Hello Anna", "note": "n", "amount": "10.00 EUR",
    },
    writes=(Write(kind="thing", key="k1", data={"a": 1, "b": ["x", {"y": "z"}]}),),
    entries=(Entry(account="assets:a", amount="5.00 EUR", note="n"), Entry(account="income:b", amount="-5.00 EUR")),
    needs={"thing:k1": 0},
    client="acme",
    why="Only this may change.",
)  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Iterator[Any]:
    """Yield every value that differs from a JSON value in one place."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + chance.choice((-1, 1, 1000))
        case str():
            at = chance.randrange(len(value) + 1)
            yield value[:at] + chance.choice(("x", "\u200b", "0", " ", "\u202e")) + value[at:]
            if value:
                at = chance.randrange(len(value))
                yield value[:at] + value[at + 1 :]
        case list() | tuple():
            value = list(value)
            for at, item in enumerate(value):
                yield value[:at] + value[at + 1 :]
                for other in mutated(item, chance):
                    yield [*value[:at], other, *value[at + 1 :]]
            yield [*value, "extra@evil.example"]
            if len(value) > 1 and value[::-1] != value:
                yield value[::-1]
        case dict():
            for key, item in value.items():
                yield {name: kept for name, kept in value.items() if name != key}
                for other in mutated(item, chance):
                    yield {**value, key: other}
            yield {**value, "bcc": ["extra@evil.example"]}


def mutants(call: ActionCall, chance: random.Random) -> Iterator[ActionCall]:
    """Yield every call that differs in one place, ``why`` aside, which does nothing."""
    plain = msgspec.to_builtins(call)
    full = {name: plain.get(name, msgspec.to_builtins(getattr(call, name))) for name in call.__struct_fields__}
    for name, value in full.items():
        if name in {"why", "type"}:
            continue
        for other in mutated(value, chance):
            try:
                made = msgspec.convert({**full, name: other}, ActionCall)
            except msgspec.ValidationError:
                continue
            if made != call:
                yield made


def example(action: Action) -> ActionCall:
    """Return a call of an action with every argument it knows, from what each is on the card."""
    args = {param.name: _EXAMPLES[param.role] for param in action.params if param.name != "key"}
    moves = action.name in {"books.issue", "books.write"}
    return ActionCall(
        name=action.name,
        account=RICH.account,
        args=args,
        writes=RICH.writes if moves else (),
        entries=RICH.entries if moves else (),
        client="acme",
    )


_FILE = {"name": "a.pdf", "sha256": "0" * 64, "size": 5, "media_type": "application/pdf"}
_LINE = {"text": "Work", "quantity": "1", "unit_price": "5.00 EUR", "total": "5.00 EUR"}
_EXAMPLES: dict[Role, Json] = {
    Role.RECIPIENTS: ["anna@acme.example", "bob@acme.example"], Role.AMOUNT: "5.00 EUR",
    Role.WHEN: "2026-04-01T10:00:00+02:00", Role.SUBJECT: "Hello", Role.BODY: "Hello Anna", Role.ATTACHMENTS: [_FILE],
    Role.LINES: [_LINE], Role.REFERENCE: "ch_9", Role.DETAIL: "detail", Role.PLUMBING: "plumbing", Role.PAYEE: "Printer <DE89370400440532013000>",
}  # fmt: skip


def every_example() -> list[ActionCall]:
    """Return a call of every action there is that changes something."""
    kinds: list[type[Connector]] = [*connectors.discover().values(), Keeper]
    found = {name: action for kind in kinds for name, action in kind.actions().items()}
    return [example(action) for action in (found | BOOKS_ACTIONS).values() if action.risk is not Risk.READS]


def all_mutants(rounds: int, chance: random.Random) -> list[ActionCall]:
    return [mutant for _ in range(rounds) for mutant in mutants(RICH, chance)]


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` is how often every field is changed."""
    found = Found(seed)
    made = all_mutants(count, random.Random(seed))
    for mutant in made:
        found.expect(fingerprint(mutant) != fingerprint(RICH), f"same fingerprint: {mutant}")
    for call in every_example():
        whole = list(mutants(call, random.Random(seed)))
        for mutant in whole:
            found.expect(fingerprint(mutant) != fingerprint(call), f"same fingerprint: {mutant}")
        found.counts["mutants of real actions"] += len(whole)
    found.expect(fingerprint(changed(RICH, why="other")) == fingerprint(RICH), "the words of an agent count")
    async with BareHouse(folder / "home", policy=no_delay()) as house:
        for number, mutant in enumerate(made):
            await (_on_the_card, _before_sending, _while_sending)[number % 3](house, number, mutant, found)
        await _the_world_moved(house, found)
        found.counts["effects"] = len(house.provider.accepted)
        found.expect(not house.provider.accepted, f"{len(house.provider.accepted)} changed payloads went out")
    return found


async def _on_the_card(house: BareHouse, number: int, mutant: ActionCall, found: Found) -> None:
    """What the card says is not what it was shown with."""
    house.agent.next.append((RICH,))
    task = int(await house.operator(f"ask post body={number}"))
    card = f"{task}.1"
    state = house.runner.state_now(task)
    standing = state.cards[card]
    opened = changed(standing.opened, calls=(mutant,))
    house.runner.chronicle.states[task] = changed(
        state, cards=with_item(state.cards, card, changed(standing, opened=opened))
    )
    handle, verb = house.button("Approve", card)
    reply = await house.runner.pressed(f"m{number}", handle, verb, OPERATOR, PLACE)
    await house.runner.settled()
    found.expect("not what was shown" in reply, f"{reply!r} for {mutant}")


async def _before_sending(house: BareHouse, number: int, mutant: ActionCall, found: Found) -> None:
    """What is about to be sent is not what was approved."""
    house.agent.next.append((RICH,))
    await house.operator("/pause paper")
    task = int(await house.operator(f"ask post body={number}"))
    card = f"{task}.1"
    await house.press("Approve", card)
    state = house.runner.state_now(task)
    (effect,) = state.effects.values()
    forged = changed(effect, prepared=changed(effect.prepared, call=mutant))
    house.runner.chronicle.states[task] = changed(
        state, effects=with_item(state.effects, effect.prepared.effect, forged)
    )
    await house.operator("/resume paper")
    await house.runner.settled()
    after = house.runner.state_now(task).effects[effect.prepared.effect]
    found.counts[after.status] += 1
    found.expect(after.status in {"failed", "prepared"}, f"{after.status} for {mutant}")
    if after.status == "prepared":  # its name changed, so the pause that stopped it is not lifted for it
        found.expect(mutant.name != RICH.name, f"left standing: {mutant}")


async def _while_sending(house: BareHouse, number: int, mutant: ActionCall, found: Found) -> None:
    """It changes after the attempt was written down and before the first byte leaves."""
    house.agent.next.append((RICH,))
    task = int(await house.operator(f"ask post body={number}"))
    house.runner.chronicle.committed = lambda _: None
    await house.press("Approve", f"{task}.1")
    house.runner.chronicle.committed = house.runner.dispatch
    state = house.runner.state_now(task)
    (effect,) = state.effects.values()
    (key,) = (key for key, order in state.open.items() if isinstance(order, Perform))
    forged = changed(effect, prepared=changed(effect.prepared, call=mutant))
    house.runner.chronicle.states[task] = changed(
        state, effects=with_item(state.effects, effect.prepared.effect, forged)
    )
    await house.runner.executor.perform(task, key, state.open[key])
    await house.runner.settled()
    after = house.runner.state_now(task).effects[effect.prepared.effect]
    found.expect(after.status == "failed", f"while sending, {after.status} for {mutant}")


async def _the_world_moved(house: BareHouse, found: Found) -> None:
    """What a card stands on was changed by another card: the old one is not done, a fresh one follows."""
    call = ActionCall(
        name="paper.post", args={"to": ["a@b.example"], "body": "first"}, needs={"thing:k": 0},
        writes=(Write(kind="thing", key="k", data={"v": 1}),),
    )  # fmt: skip
    tasks = []
    for body in ("first", "second"):
        house.agent.next.append((changed(call, args={**call.args, "body": body}),))
        tasks.append(await house.operator(f"ask post body=fresh-{body}"))
    before = len(house.provider.accepted)
    for task in tasks:
        await house.press("Approve", f"{task}.1")
    found.expect(house.done("first") == 1, f"the first happened {house.done('first')} times")
    found.expect(house.done("second") == 0, "what stood on an older record was done all the same")
    found.expect(house.card(f"{tasks[1]}.1").revision == 2, "no fresh card came")
    del house.provider.accepted[before:]


async def test_a_payload_changed_anywhere_is_never_sent(yard: Path) -> None:
    found = await torture(yard, 3, 7)
    assert not found.faults, found


async def test_an_untouched_payload_goes_out_by_the_same_road(yard: Path) -> None:
    async with BareHouse(yard / "home", policy=no_delay()) as house:
        house.agent.next.append((RICH,))
        await house.operator("/pause paper")
        task = int(await house.operator("ask post body=x"))
        await house.press("Approve", f"{task}.1")
        await house.operator("/resume paper")
        await house.runner.settled()
        assert len(house.provider.accepted) == 1

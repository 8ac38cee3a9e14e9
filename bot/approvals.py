"""Card: what it says, who may press it, when it runs out, what it is bound to. Pure.

A card is rendered by code from the canonical calls, never from a model's words; those stand below, labelled. The same
neutral card goes to every channel. A button carries a handle: a locator and an HMAC over it. It locates, it does not
authorise: who pressed is checked at each press against the roster.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import itertools
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import msgspec

from bot import grants, payees
from bot.channels.base import Button, Card, EditField, Row
from bot.figures import money_words, when_words
from bot.payees import Payee
from bot.policy import Policy, amount_of
from bot.state import CardState, EffectState, TaskState
from connectors.base import Action, Json, Param, Role
from memory.events import ActionCall, Actor, Attachment, CardOpened, Origin

_PLACE = re.compile(r"\{(\w+)\}")
_DIGEST = re.compile(r" \([^()]*, sha256 [0-9a-f]+…\)")  # behind a file's name
HANDLE_BYTES = 12  # 96 bits, 16 characters: fits Telegram's 64 bytes beside locator and verb
HANDLE_MAX = 64
REJECT_REASONS = ("Not now", "Wrong amount", "Wrong recipient", "Wording", "Not needed")
VERBS = frozenset(
    {"approve", "reject", "edit", "revise", "snooze", "like", "undo", "arrived", "again", "drop", "agree", "disagree"}
)

LABELS: Mapping[str, str] = {
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "subject": "Subject",
    "body": "Text",
    "attachments": "Attached",
    "payee": "Pay to",
    "amount": "Amount",
    "net": "Net",
    "tax": "Tax",
    "due": "Due",
    "number": "Number",
    "client": "Client",
    "lines": "Items",
    "when": "When",
    "summary": "What",
    "text": "Text",
}
VITAL = frozenset({Role.RECIPIENTS, Role.PAYEE, Role.AMOUNT, Role.ATTACHMENTS, Role.LINES, Role.WHEN})


def handle(secret: bytes, what: str, number: int) -> str:
    """Return the opaque handle of one revision of a card, one choice of a message, or one effect to undo.

    It names what it is about, so no table is needed, and carries 96 bits that only this house can make.

    Args:
        what: ``"12.1"`` (card), ``"12.m4"`` (message), ``"undo 12.1.1"`` (effect).
        number: revision, or position of the choice.
    """
    digest = hmac.new(secret, f"handle:{what}:{number}".encode(), hashlib.sha256).digest()
    return f"{what}:{number}:{urlsafe_b64encode(digest[:HANDLE_BYTES]).decode()}"


def read_handle(secret: bytes, text: str) -> tuple[str, int] | None:
    """Return what a handle is about, or None when this house did not make it. Safe for any bytes anybody sends."""
    what, _, rest = text.partition(":")
    number, _, _mac = rest.partition(":")
    if not (what and number.isdecimal() and text.isascii() and len(text) <= HANDLE_MAX):
        return None
    if not hmac.compare_digest(handle(secret, what, int(number)).encode(), text.encode()):
        return None
    return what, int(number)


@dataclass(frozen=True)
class Person:
    """Somebody who may press, by the platform's stable ids."""

    platform: str
    user: str
    account: str = "*"  # workspace or bot; "*" where the platform has only one
    role: Origin = Origin.OPERATOR
    actions: tuple[str, ...] = ("*",)  # a delegate's: which actions
    amount_max: str = ""  # a delegate's: up to how much


@dataclass(frozen=True)
class Roster:
    """Who this house answers to. An empty roster answers to nobody."""

    people: tuple[Person, ...] = ()

    def find(self, actor: Actor) -> Person | None:
        """Return the person, by platform, account and user; names mean nothing."""
        for person in self.people:
            if (
                person.platform == actor.platform
                and person.user == actor.user
                and person.account in {"*", actor.account}
                and actor.user
            ):
                return person
        return None


def may_press(person: Person | None, card: CardOpened) -> str:
    """Return "" when this person may settle the card, else the sentence that says why not."""
    if person is None:
        return "You are not on this company's list of people who may decide. The operator was told."
    if person.role is Origin.OPERATOR:
        return ""
    if person.role is not Origin.DELEGATE:
        return "Only the operator and delegates decide here."
    for call in card.calls:
        if not any(fnmatchcase(call.name, pattern) for pattern in person.actions):
            return f"As a delegate you may not decide about {call.name}; it waits for the operator."
        amount, currency = amount_of(call)
        cap, _, cap_currency = person.amount_max.partition(" ")
        if currency and (cap_currency != currency or amount > Decimal(cap or "0")):
            return (
                f"As a delegate you may decide up to {person.amount_max or 'no amount'}; this is {amount} {currency}."
            )
    return ""


def expires_at(calls: Sequence[ActionCall], actions: Mapping[str, Action], policy: Policy, now: datetime) -> datetime:
    """Return when a card runs out: the shortest span of what it would do."""
    spans = [policy.expiry.get(actions[call.name].risk.value, timedelta(days=7)) for call in calls]
    return now + min(spans, default=timedelta(days=7))


def title(calls: Sequence[ActionCall], actions: Mapping[str, Action]) -> str:
    """Return a card's headline: what the button does, in the operator's words."""
    says = []
    for call in calls:
        words = doing(call, actions)
        if words not in says:
            says.append(words)
    text = " and ".join(says)
    return text[:1].upper() + text[1:]


def doing_such(call: ActionCall, actions: Mapping[str, Action]) -> str:
    """Return what calls like this one do: the author's words, of this call's own arguments only what kind it is."""
    action = actions.get(call.name)
    if action is None:
        return call.name
    said = _PLACE.sub(lambda match: str(call.args.get("kind", "")) if match[1] == "kind" else "", action.says)
    return " ".join(said.split())


def doing(call: ActionCall, actions: Mapping[str, Action]) -> str:
    """Return what a call does in the words its author declared, with its arguments in place of ``{name}``."""
    action = actions.get(call.name)
    if action is None:
        return call.name
    return _PLACE.sub(lambda match: str(call.args.get(match[1], "")), action.says).strip()


def attachments_of(calls: Iterable[ActionCall]) -> tuple[Attachment, ...]:
    """Return every file the calls would send, once each."""
    seen: dict[str, Attachment] = {}
    for call in calls:
        for item in call.args.get("attachments") or ():
            seen.setdefault(
                item["sha256"],
                Attachment(
                    name=item["name"],
                    sha256=item["sha256"],
                    size=item["size"],
                    media_type="application/pdf"
                    if item["name"].lower().endswith(".pdf")
                    else "application/octet-stream",
                ),
            )
    return tuple(seen.values())


def facts(
    calls: Sequence[ActionCall],
    actions: Mapping[str, Action],
    newcomers: Sequence[str] = (),
    new_payees: Sequence[str] = (),
) -> tuple[Row, ...]:
    """Return the rows of a card. Every argument of every call is on it, but for plumbing; nothing is shortened.

    A file or detail that different actions share (an invoice and its mail) stands there once. Recipients, sums and days
    stand there for each call: two payments of one sum to one payee are not one.
    """
    rows: list[Row] = []
    said: list[tuple[str, Row]] = []
    for call in (*calls, *(planned for planned, _ in grants.ahead(calls))):
        action = actions.get(call.name)
        params = {param.name: param for param in action.params} if action else {}
        for name in [*params, *sorted(set(call.args) - set(params))]:
            value = call.args.get(name)
            if value in (None, "", [], {}):
                continue
            param = params.get(name) or Param(name, Role.DETAIL, required=False, doc="")
            for row in _rows(param, value, newcomers, new_payees):
                apart = row.role in VITAL - {Role.ATTACHMENTS}
                if row.role is not Role.BODY and (apart or all(row != old or by == call.name for by, old in said)):
                    rows.append(row)
                    said.append((call.name, row))
        for payee in payees.fallback(call, action) if action else ():
            rows.append(_payee("Paid to", payee.words, payee, new_payees))
        if call.account:
            row = Row("As", call.account)
            if row not in rows:
                rows.append(row)
    return tuple(rows)


def body_of(calls: Sequence[ActionCall], actions: Mapping[str, Action]) -> str:
    """Return the long text that would go out, whole; several are separated and named."""
    bodies = []
    for call in (*calls, *(planned for planned, _ in grants.ahead(calls))):
        for param in actions[call.name].params if call.name in actions else ():
            if param.role is Role.BODY and call.args.get(param.name):
                bodies.append(str(call.args[param.name]))
    return "\n\n———\n\n".join(bodies)


def _rows(param: Param, value: Json, newcomers: Sequence[str], new_payees: Sequence[str]) -> list[Row]:
    label = LABELS.get(param.name, param.name.replace("_", " ").capitalize())
    vital = param.role in VITAL
    match param.role:
        case Role.PLUMBING:
            return []
        case Role.RECIPIENTS:
            return [
                Row(label, address, param.role, vital=True, mark="NEW" if address in newcomers else "")
                for address in value
            ]
        case Role.PAYEE:
            values = value if isinstance(value, list) else [value]
            return [_payee(label, str(each), payees.read(str(each)), new_payees) for each in values]
        case Role.ATTACHMENTS:
            return [
                Row(
                    label,
                    f"{item['name']} ({_size(item['size'])}, sha256 {item['sha256'][:12]}…)",
                    param.role,
                    vital=True,
                )
                for item in value
            ]
        case Role.LINES:
            return [
                Row(label if not number else "", _line(item), param.role, vital=True)
                for number, item in enumerate(value)
            ]
        case _ if isinstance(value, dict):
            return [Row(str(key), str(item), param.role, vital=vital) for key, item in value.items()]
        case _ if isinstance(value, list):
            return [Row(label, ", ".join(str(item) for item in value), param.role, vital=vital)]
        case Role.AMOUNT:
            return [Row(label, money_words(str(value)), param.role, vital=True)]
        case Role.WHEN:
            return [Row(label, when_words(str(value)), param.role, vital=True)]
        case Role.DETAIL:
            return [Row(label, money_words(str(value)), param.role)]
        case _:
            return [Row(label, str(value), param.role, vital=vital)]


def _payee(label: str, shown: str, payee: Payee, new: Sequence[str]) -> Row:
    mark = payees.NEW if payees.is_among(payee, new) else ""
    return Row(label, shown, Role.PAYEE, vital=True, mark=mark)


def _line(item: Mapping[str, Json]) -> str:
    quantity = str(item.get("quantity", "1"))
    price = money_words(str(item.get("unit_price", "")))
    times = f"{quantity} × {price} = " if quantity not in {"1", "1.00", ""} else ""
    return f"{item.get('text', '')}: {times}{money_words(str(item.get('total', item.get('unit_price', ''))))}"


def _size(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size / 1024:.0f} kB" if size < 1024**2 else f"{size / 1024**2:.1f} MB"  # noqa: PLR2004


def changes(
    before: Sequence[ActionCall], after: Sequence[ActionCall], actions: Mapping[str, Action]
) -> tuple[str, ...]:
    """Return what differs between two drafts, one line a fact, and a short diff of the long text."""
    old, new = facts(before, actions), facts(after, actions)
    lines = []
    old_by, new_by = _by_label(old), _by_label(new)
    files = {row.label for row in new if row.role is Role.ATTACHMENTS}
    for label in [*old_by, *(key for key in new_by if key not in old_by)]:
        was, is_ = old_by.get(label, ""), new_by.get(label, "")
        if was != is_ and label in files and _DIGEST.sub("", was) == _DIGEST.sub("", is_):
            lines.append(f"{label}: {_DIGEST.sub('', is_)}, made anew")
        elif was != is_:
            lines.append(f"{label or 'Items'}: {was or '—'} → {is_ or '—'}")
    was_body, is_body = body_of(before, actions), body_of(after, actions)
    if was_body != is_body:
        diff = difflib.unified_diff(was_body.splitlines(), is_body.splitlines(), lineterm="", n=0)
        lines += [f"Text {line[0]} {line[1:]}" for line in diff if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    return tuple(lines)


def _by_label(rows: Sequence[Row]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for row in rows:
        joined[row.label] = f"{joined[row.label]}, {row.value}" if row.label in joined else row.value
    return joined


def edit_fields(opened: CardOpened, actions: Mapping[str, Action], slots: Mapping[str, Json]) -> tuple[EditField, ...]:
    """Return what may be edited: the request's own slots, then what would be written to whom, and the words."""
    fields = [
        EditField(name, name.replace("_", " ").capitalize(), str(value))
        for name, value in slots.items()
        if isinstance(value, str | int) and str(value)
    ]
    for number, call in enumerate(opened.calls):
        for param in actions[call.name].params if call.name in actions else ():
            value = call.args.get(param.name)
            if param.role is Role.RECIPIENTS and param.name == "to" and value:
                fields.append(EditField(f"{number}.{param.name}", "To", ", ".join(value)))
            elif param.role in {Role.SUBJECT, Role.BODY} and call.name not in {"books.write", "books.issue"}:
                label = LABELS.get(param.name, param.name.capitalize())
                fields.append(
                    EditField(f"{number}.{param.name}", label, str(value or ""), long=param.role is Role.BODY)
                )
    return tuple(fields)


_CHANGE = re.compile(
    r"\W*(?:please )?(?:change|set|make|put)\s+(?:the\s+)?(?P<label>[\w .-]+?)\s+(?:to|into|:)\s+(?P<value>\S.*)",
    re.DOTALL | re.IGNORECASE,
)
_LINE = re.compile(r"\s*(?P<label>[\w .-]+?)\s*[:=]\s*(?P<value>\S.*)")


def worded_edits(words: str, fields: Sequence[EditField]) -> dict[str, Json]:
    """Return field → value of words that are nothing but edits by their labels; nothing when one of them is not.

    ``"subject: Hosting in March"``, a line each, or ``"change the subject to Hosting in March"``.
    """
    by_label: dict[str, str] = {}
    for field in fields:
        by_label.setdefault(field.label.casefold(), field.name)
    by_label |= {"text": by_label["body"]} if "body" in by_label and "text" not in by_label else {}
    whole = _CHANGE.fullmatch(words)
    matches = [whole] if whole else [_LINE.fullmatch(line) for line in words.strip().splitlines()]
    edits: dict[str, Json] = {}
    for match in matches:
        if match is None or match["label"].casefold() not in by_label:
            return {}
        edits[by_label[match["label"].casefold()]] = match["value"].strip()
    return edits


def overlay(calls: Sequence[ActionCall], edits: Mapping[str, Json]) -> tuple[ActionCall, ...]:
    """Return the calls with the operator's own words in place: edits named ``"1.body"`` win over any draft."""
    changed = list(calls)
    for name, value in edits.items():
        number, _, field = name.partition(".")
        if not field or not number.isdigit() or int(number) >= len(changed) or field not in changed[int(number)].args:
            continue
        call = changed[int(number)]
        fresh = (
            [part.strip() for part in str(value).split(",") if part.strip()]
            if isinstance(call.args[field], list)
            else str(value)
        )
        changed[int(number)] = msgspec.structs.replace(call, args={**call.args, field: fresh})
    return tuple(changed)


# ── the card as it is now ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class View:
    """What rendering needs besides the state: the declarations, the secret for handles, where the operator lives."""

    actions: Mapping[str, Action]
    secret: bytes
    zone: ZoneInfo
    now: datetime


def render_former(state: TaskState, card_id: str, view: View) -> Card:
    """Return the draft before the one that waits, without buttons; the card as it is now once nothing waits."""
    standing = state.cards[card_id]
    card = render(state, card_id, view)
    if standing.state != "pending" or standing.former is None:
        return card
    former = standing.former
    return replace(
        card,
        revision=former.revision,
        title=former.title,
        state="superseded",
        rows=facts(former.calls, view.actions, former.newcomers, former.new_payees),
        body=body_of(former.calls, view.actions),
        warnings=former.warnings,
        changes=former.changes,
        files=former.files,
        footer=(),
        buttons=(),
        fields=(),
        reject_reasons=(),
        outcome=f"Changed. Version {standing.opened.revision} of this card is the one that counts.",
    )


def render(state: TaskState, card_id: str, view: View) -> Card:
    """Return the card as every channel shows it now."""
    standing = state.cards[card_id]
    opened = standing.opened
    pending = standing.state == "pending"
    slots = state.understood.slots if state.understood else {}
    return Card(
        id=card_id,
        revision=opened.revision,
        title=opened.title,
        state="shadow"
        if opened.kind == "shadow"
        else "snoozed"
        if pending and standing.snoozed_until
        else standing.state,
        rows=facts(opened.calls, view.actions, opened.newcomers, opened.new_payees),
        body=body_of(opened.calls, view.actions),
        note=opened.say or next((call.why for call in opened.calls if call.why), ""),
        warnings=opened.warnings,
        changes=opened.changes,
        reasons=opened.reasons,
        sources=tuple(f"{source.text} ({source.ref})" for source in opened.sources),
        confidence_pct=opened.confidence_pct,
        files=opened.files,
        footer=_footer(opened, view) if pending else (),
        buttons=_buttons(state, standing, view),
        fields=edit_fields(opened, view.actions, slots)
        if pending and opened.kind == "approval" and not opened.compensates
        else (),
        reject_reasons=REJECT_REASONS if pending and opened.kind == "approval" else (),
        outcome="" if pending else outcome(state, card_id, view),
        kind=opened.kind,
    )


def _footer(opened: CardOpened, view: View) -> tuple[str, ...]:
    lines = []
    if opened.rule:
        lines.append(f"Asked because {opened.rule.removeprefix('default: ')}")
    if opened.no_return:
        lines.append(f"Point of no return: {opened.no_return}")
    elif opened.calls and all(_has_undo(call, view) for call in opened.calls):
        lines.append("Undo: afterwards too, from the receipt, on a card of its own")
    if opened.expires_at:
        lines.append(f"Runs out {clock_text(opened.expires_at, view)}, and then: {_expiry_words(opened)}")
    return tuple(lines)


def _has_undo(call: ActionCall, view: View) -> bool:
    action = view.actions.get(call.name)
    return action is not None and action.undo is not None


def _expiry_words(opened: CardOpened) -> str:
    return {"cancel": "nothing is done", "hold": "it stays", "remind": "you are reminded"}[opened.on_expiry]


def _buttons(state: TaskState, standing: CardState, view: View) -> tuple[Button, ...]:
    opened = standing.opened
    key = handle(view.secret, opened.card, opened.revision)
    if standing.state == "approved" and undoable(state, opened.card):
        waiting = state.of_card(opened.card)
        until = max(
            moment
            for effect in waiting
            for moment in (effect.prepared.not_before, effect.turn_at)
            if moment is not None
        )
        return (Button("Undo", "undo", key, until=until),)
    if standing.state != "pending":
        return ()
    if opened.kind == "shadow":  # neither does anything: they say how good the draft was
        return (Button("I would approve this", "agree", key), Button("I would not", "disagree", key))
    if opened.kind == "unknown":
        return (
            Button("It arrived", "arrived", key, "primary"),
            Button("Send again", "again", key, "danger", confirm="If it did arrive, it will arrive twice. Send again?"),
            Button("Drop it", "drop", key),
        )
    if opened.kind == "stuck":
        return (Button("Try again", "again", key, "primary"), Button("Drop it", "drop", key))
    if opened.compensates:
        return (
            Button("Approve", "approve", key, "primary"),
            Button("Reject", "reject", key, "danger"),
            Button("Snooze", "snooze", key),
        )
    return (
        Button("Approve", "approve", key, "primary"),
        Button("Edit", "edit", key),
        Button("Reject", "reject", key, "danger"),
        Button("Snooze", "snooze", key),
        *([Button("Approve all like this", "like", key)] if grants.has_like(opened) else []),
    )


def undoable(state: TaskState, card: str) -> bool:
    """Whether everything this card let through is still waiting: in the undo window, or for its turn."""
    effects = state.of_card(card)
    return all(effect.status == "prepared" for effect in effects) and any(effect.waits for effect in effects)


def who(actor: Actor, *, first: bool = True) -> str:
    """Name somebody in a sentence: "You" (or "you", further in) for the operator, else the name."""
    if actor.origin is Origin.OPERATOR:
        return "You" if first else "you"
    return actor.name or actor.user or actor.platform


def clock_text(moment: datetime, view: View) -> str:
    """Write a time for a person: "today 09:12", "Tue 3 Mar 09:12"."""
    local, today = moment.astimezone(view.zone), view.now.astimezone(view.zone).date()
    if local.date() == today:
        return f"today {local:%H:%M}"
    if local.date() == today + timedelta(days=1):
        return f"tomorrow {local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b} {local:%H:%M}" + (f" {local.year}" if local.year != today.year else "")


def outcome(state: TaskState, card_id: str, view: View) -> str:
    """Return one sentence on how the card ended and how its effects stand; "done" only from a receipt."""
    standing = state.cards[card_id]
    settled = standing.settled
    assert settled is not None
    when = clock_text(standing.settled_at or view.now, view)
    by = (
        f"{who(settled.by, first=False)} on {settled.by.platform}"
        if settled.by.platform not in {"clock", "soloist"}
        else "Soloist"
    )
    reason = f" ({settled.reason})" if settled.reason else ""
    if standing.opened.kind == "shadow" and settled.how in {"approved", "denied"}:
        would = "would have approved" if settled.how == "approved" else "would not have approved"
        return f"Rehearsal: {who(settled.by, first=False)} {would} this. Nothing was done."
    match settled.how:
        case "denied":
            return f"Rejected by {by} {when}{reason}. Nothing was done."
        case "expired":
            return f"Ran out {when} without an answer. Nothing was done."
        case "cancelled":
            return f"Cancelled {when}{reason}. Nothing was done."
        case "superseded" if standing.opened.kind == "unknown" and reason:
            return f"No question any more, {when}{reason}."
        case "superseded":
            return f"Replaced by a newer version {when}{reason}."
        case _:
            verb = {"unknown": "Answered", "stuck": "Answered"}.get(standing.opened.kind, "Approved")
            return f"{verb} by {by} {when}{reason}. " + " ".join(_effect_lines(state.of_card(card_id), view))


def _effect_lines(several: Sequence[EffectState], view: View) -> list[str]:
    """Return a sentence for each effect; one for those that wait for the same moment, and none twice."""
    lines: list[str] = []
    for until, group in itertools.groupby(several, key=lambda effect: _waits_until(effect, view)):
        if until is None:
            lines += [effect_line(effect, view) for effect in group]
        else:
            will = " and ".join(dict.fromkeys(doing(effect.prepared.call, view.actions) for effect in group))
            lines.append(f"Will {will} at {until.astimezone(view.zone):%H:%M:%S} unless you undo it.")
    return list(dict.fromkeys(filter(None, lines)))


def _waits_until(effect: EffectState, view: View) -> datetime | None:
    due = effect.prepared.not_before
    return due if effect.status == "prepared" and not effect.again_at and due and due > view.now else None


def effect_line(effect: EffectState, view: View) -> str:
    """Return one sentence on an effect, from its receipt when there is one."""
    match effect.status:
        case "prepared" if effect.again_at:
            return f"{effect.text} Trying again {clock_text(effect.again_at, view)}."
        case "prepared" if until := _waits_until(effect, view):
            return f"{_doing(effect, view)} at {until.astimezone(view.zone):%H:%M:%S} unless you undo it."
        case "prepared" if effect.room:
            return f"{_doing(effect, view)} as soon as there is room, unless you undo it: {effect.text}"
        case "prepared" if effect.turn_at and effect.turn_at > view.now:
            local = effect.turn_at.astimezone(view.zone)
            return f"{_doing(effect, view)} at {local:%H:%M:%S} unless you undo it: {effect.text}"
        case "prepared":
            return f"{_doing(effect, view)} next."
        case "sending":
            return f"{_doing(effect, view)} now…"
        case "confirmed":
            return effect.text
        case "failed":
            return f"Not done: {effect.text}"
        case "unknown":
            return f"Nobody knows yet whether it went through: {effect.text}"
        case "dropped":
            return f"Not done: {effect.text}"
        case "compensated":
            return f"{effect.text} Taken back since."


def _doing(effect: EffectState, view: View) -> str:
    return f"Will {doing(effect.prepared.call, view.actions)}"

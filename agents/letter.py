"""A mail as a call: greeting, paragraphs, signature; and how amounts and days are written in letters.

The text comes from templates here and in the agents. `polish` lets a model improve the wording and keeps the template
whenever the model's version lost a fact or brought a new one, so no letter ever depends on a model::

    call = letter(desk, to=("anna@acme.example",), subject="Invoice 2026-0001", paragraphs=(...), client="acme")
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from agents.base import ActionCall, Attachment, Desk, Record, Write, decimals, parse_money
from agents.slots import Every
from agents.tone import manner_of
from memory.events import Json, Origin

NO_MODEL = "no model is set up"  # how a desk without one begins its problem
MORNING = 9  # the hour when something falls due on a day, where no hour was said
UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour"}
WEEKDAYS = {
    "MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
    "SU": "Sunday",
}  # fmt: skip
ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}
PROMPTS = Path(__file__).parent / "prompts"
# What a reworded text must keep, and may not add to: numbers with their punctuation, addresses, links.
_FACTS = re.compile(r"https?://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\d[\d.,:/-]*\d|\d")


def prompt(agent: str) -> str:
    """Return an agent's prompt, ``agents/prompts/<agent>.md``."""
    return (PROMPTS / f"{agent}.md").read_text(encoding="utf-8")


def amount_words(amount: str) -> str:
    """``"1428.00 EUR"`` → ``"1,428.00 EUR"``."""
    value, currency = parse_money(amount)
    return f"{value:,.{decimals(currency)}f} {currency}"


def day_words(day: date | str) -> str:
    """``date(2026, 12, 5)`` or ``"2026-12-05"`` → ``"5 December 2026"``."""
    known = date.fromisoformat(day[:10]) if isinstance(day, str) else day
    return f"{known.day} {known:%B %Y}"


def moment_words(moment: datetime) -> str:
    """An aware time → ``"Tue 24 November, 15:00"``, in its own zone."""
    return f"{moment:%a} {moment.day} {moment:%B, %H:%M}"


def total_words(sums: Mapping[str, Decimal]) -> str:
    """``{"EUR": Decimal("1428"), "USD": Decimal("90")}`` → ``"1,428.00 EUR and 90.00 USD"``."""
    return " and ".join(amount_words(f"{value} {currency}") for currency, value in sorted(sums.items())) or "nothing"


def greeting(name: str, word: str = "") -> str:
    """``"Anna Berg"`` → ``"Hello Anna,"``; without a name a plain hello."""
    first = name.split(maxsplit=1)[0] if name.split() else ""
    return f"{word or 'Hello'} {first}," if first else f"{word or 'Hello'},"


def signature(desk: Desk, sign_off: str = "") -> str:
    """Return how the operator signs."""
    lines = [
        sign_off or manner_of(desk).sign_off or "Best regards",
        desk.company.get("signatory", ""),
        desk.company.get("name", ""),
    ]
    return "\n".join(line for line in lines if line)


def body(desk: Desk, contact: str, paragraphs: Sequence[str], client: str = "") -> str:
    """Return a whole letter: greeting, paragraphs, signature, in the operator's manner with this client."""
    manner = manner_of(desk, client)
    said = [each for each in paragraphs if each]
    said[:1] = [each[0].upper() + each[1:] for each in said[:1]]
    return "\n\n".join([greeting(contact, manner.greeting), *said, signature(desk, manner.sign_off)])


def topic(text: str) -> str:
    """``"the March retainer"`` → ``"March retainer"``: what something is about, as a line or a title names it."""
    said = re.sub(r"(?:^|\s+)(?:for|to|of|at|on|by|with|and|the|an?)$", "", text.strip(" .,;"), flags=re.IGNORECASE)
    return re.sub(r"^(?:the|our|my|their|an?)\s+", "", said, flags=re.IGNORECASE)


def every_words(every: Every) -> str:
    """``FREQ=WEEKLY;BYDAY=FR`` → ``"every week on Friday"``."""
    parts = dict(part.split("=", 1) for part in every.rule.split(";"))
    count, unit = int(parts.get("INTERVAL", "1")), UNITS.get(parts["FREQ"], parts["FREQ"].casefold())
    said = f"every {count} {unit}s" if count > 1 else f"every {unit}"
    if days := parts.get("BYDAY"):
        said += " on " + " and ".join(_weekday(day) for day in days.split(","))
    if monthday := parts.get("BYMONTHDAY"):
        said += " on the last day" if monthday == "-1" else f" on day {monthday.replace(',', ' and ')}"
    if hour := parts.get("BYHOUR"):
        said += f" at {int(hour.partition(',')[0]):02d}:{int(parts.get('BYMINUTE', '0').partition(',')[0]):02d}"
    return said


def in_the_morning(every: Every) -> Every:
    """Return a recurrence by days or longer with nine o'clock where no hour was said."""
    parts = every.rule.split(";")
    if any(part.startswith("BYHOUR") for part in parts) or {"FREQ=HOURLY", "FREQ=MINUTELY"} & set(parts):
        return every
    return Every(f"{every.rule};BYHOUR={MORNING};BYMINUTE=0;BYSECOND=0")


def _weekday(day: str) -> str:
    which, name = day[:-2].lstrip("+"), WEEKDAYS[day[-2:]]
    return f"the {ORDINALS.get(which, which + '.')} {name}" if which else name


def letter(
    *,
    to: Sequence[str],
    subject: str,
    text: str,
    client: Record | None = None,
    key: str = "",
    attachments: Sequence[Json] = (),
    reply_to: Mapping[str, Json] | None = None,
    writes: tuple[Write, ...] = (),
    needs: Mapping[str, int] | None = None,
    why: str = "",
) -> ActionCall:
    """Return the call that sends a mail.

    Args:
        to: Addresses, shown whole on the card.
        subject: One line.
        text: The whole body, see `body`.
        client: Whose mail this is; its record's version is pinned.
        key: The client's key, where there is no record to pin.
        attachments: ``{"name", "sha256", "size"}`` each.
        reply_to: The mail that is answered, as it arrived: ``message_id``, ``references``.
        writes: What the books say once it is sent.
        needs: Further pins.
        why: The agent's words for the card.
    """
    args: dict[str, Json] = {"to": list(to), "subject": _one_line(subject), "body": text}
    if attachments:
        args["attachments"] = [dict(each) for each in attachments]
    if reply_to and reply_to.get("message_id"):
        args["in_reply_to"] = reply_to["message_id"]
        args["references"] = [*(reply_to.get("references") or []), reply_to["message_id"]]
    return ActionCall(
        name="mail.send",
        args=args,
        writes=writes,
        needs={**pinned(client), **(needs or {})},
        client=client.key if client else key,
        why=why,
    )


def pinned(*records: Record | None) -> dict[str, int]:
    """Return the versions these records must still have when the call is done."""
    return {f"{record.kind}:{record.key}": record.version for record in records if record}


def attached(file: Mapping[str, Json], media_type: str = "application/pdf") -> Attachment:
    """Return the file of a receipt as something a card can show."""
    return Attachment(name=file["name"], sha256=file["sha256"], size=int(file["size"]), media_type=media_type)


async def polish(
    desk: Desk,
    agent: str,
    draft: str,
    *,
    guidance: str = "",
    brief: str = "",
    material: Sequence[tuple[Origin, str]] = (),
    client: str = "",
) -> tuple[str, tuple[str, ...]]:
    """Let a model improve the wording of a draft.

    Args:
        desk: Where the thinking is done.
        agent: Whose prompt to use.
        draft: A text that could be sent as it is.
        guidance: The operator's words on an earlier draft.
        brief: The operator's words that the letter is made of.
        material: Quotes the model may lean on, with their origin.
        client: Whose letter it is, for the manner.

    Returns:
        The better text, or the draft; and what to say about it on the card.
    """
    manner = manner_of(desk, client).words
    ask = prompt(agent) + (f"\n\nThe operator's letters:\n{manner}" if manner else "")
    ask += f"\n\nWrite this mail. In the operator's own words: {brief}" if brief and not guidance else ""
    ask += f"\n\nThe operator wants: {guidance}" if guidance else ""
    thought = await desk.think(
        f"{agent}: wording", ask, material=[(Origin.SYSTEM, draft), *material], client=client, about=draft
    )
    better = thought.text.strip()
    if thought.problem or not better:
        return draft, _untouched(guidance, thought.problem)
    if changed := facts_changed(draft, better, allowed=guidance or brief, may_lose=bool(guidance)):
        return draft, (f"Kept my own wording: the model's version changed {changed}.",)
    return better, (f"Wording by {thought.model or 'a model'}; amounts, dates and addresses are unchanged.",)


def facts_changed(draft: str, better: str, allowed: str = "", *, may_lose: bool | None = None) -> str:
    """Return which numbers, addresses or links were lost or are new, as words; empty when none.

    Args:
        draft: The text with the facts.
        better: Its reworded version.
        allowed: Text whose facts may be added as well (the operator's own words).
        may_lose: Whether facts may be left out; default: when something is allowed.
    """
    before, after = set(_FACTS.findall(draft)), set(_FACTS.findall(better))
    lost, new = before - after, after - before - set(_FACTS.findall(allowed))
    if bool(allowed) if may_lose is None else may_lose:
        # The operator asked for a change, so leaving something out may be just that. Adding never is.
        lost = set()
    return ", ".join(sorted(lost | new))


def _untouched(guidance: str, problem: str) -> tuple[str, ...]:
    """Say why the wording is the template's: what was asked for could not be done, or a model that is set up is down."""
    if guidance:
        why = problem.rstrip(".") or "No model answered"
        return (
            f"I could not follow “{guidance}”. {why[:1].upper()}{why[1:]}. Press Edit, or answer with the line: “subject: …”, “amount: …”.",
        )
    if problem.casefold().startswith(NO_MODEL):
        return ()  # that there is none is no news
    return (f"Worded from my template. {problem or 'The model said nothing.'}",)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()

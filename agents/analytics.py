"""Analytics: what happened in a stretch of days, in numbers and one picture, and what that saved.

Everything is counted from records, so the same books give the same report. The minutes a task would have taken by hand
are assumptions; they are listed with the answer.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

from agents.base import Agent, Attachment, Desk, Intent, Proposal, Record, local_day, parse_money
from agents.base import Task as Request
from agents.bill import OPEN, outstanding
from agents.edits import with_edits
from agents.letter import day_words, total_words
from agents.slots import Period
from memory.events import Json

DAYS_DEFAULT = 30
INVOICED, RECEIVED, GRID, INK = "#8fbfab", "#1f6f54", "#e4e2da", "#4a4a45"  # the console's own
WEEKS_SHOWN_MAX = 26  # pairs of bars in one picture; a longer stretch is drawn by months
TAKEN_BACK = frozenset({"cancelled", "refunded"})
MINUTES_BY_HAND: Mapping[str, int] = {
    "invoice": 12, "credit": 15, "payment": 4, "proposal": 40, "ticket": 10, "meeting": 8, "reminder": 2, "post": 25,
    "project": 20, "client": 5,
}  # fmt: skip
"""Kind of record → minutes it takes without us. Estimates, shown with every answer that uses them."""


class Report(Intent):
    """Sum up a stretch of days: money, clients, work, with a picture."""

    examples: ClassVar[tuple[str, ...]] = (
        "weekly report",
        "report for last month",
        "how did we do this quarter?",
        "give me a summary of October",
        "monthly review",
        "show me the numbers",
        "business report with a chart",
        "what happened last week?",
        "how was the year so far?",
        "analytics for September",
        "draw a chart of our income",
        "key figures please",
        "status report for the last 30 days",
        "dashboard",
        "overview of this month's business",
        "reprot last week",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "quarterly report please",
        "how did last month go?",
        "show me a chart of the last months",
        "give me the key figures for this year",
        "review of last week",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "revenue in March",
        "how much time did you save me?",
        "project status of Acme",
        "what's on today?",
        "summarise this article",
        "send Acme the report",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "weekly report",
        "monthly report",
        "report for {period}",
        "report {period}",
        "report on {period}",
        "monthly review",
        "weekly review",
        "review of {period}",
    )
    command: ClassVar[str] = "report"

    period: Period | None = None


class TimeSaved(Intent):
    """Estimate the time that was saved."""

    examples: ClassVar[tuple[str, ...]] = (
        "how much time did you save me?",
        "time saved this month",
        "what's the time saving?",
        "how many hours have you spared me?",
        "is this bot worth it?",
        "hours saved so far",
        "how much work did you take off me?",
        "show the time I gained",
        "what did the automation bring?",
        "time savings last week",
        "how productive were we thanks to you?",
        "count the hours you saved",
        "did using you pay off?",
        "how many minutes per invoice do I save?",
        "tiem saved?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "how many hours did I save this week?",
        "show me the saved time",
        "how much time have you saved us in October?",
        "what is the time saved so far",
        "do you actually save me time?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "weekly report",
        "find a time for Acme",
        "how many hours did I work for Globex?",
        "save this file",
        "what time is it?",
        "how much money did we make?",
    )
    patterns: ClassVar[tuple[str, ...]] = ("time saved", "time saved {period}")

    period: Period | None = None


class Analytics(Agent):
    """Counts what the books hold; changes nothing."""

    intents = (Report, TimeSaved)

    @with_edits
    async def work(self, task: Request, desk: Desk) -> Proposal:
        """Count, and draw."""
        match task.intent:
            case Report() as wish:
                return _report(wish.period or _lately(desk), desk)
            case TimeSaved() as wish:
                return _saved(wish.period or _lately(desk), desk)
        raise NotImplementedError(f"analytics does not know {task.intent.id()!r}")


def _lately(desk: Desk) -> Period:
    today = local_day(desk)
    return Period(today - timedelta(days=DAYS_DEFAULT - 1), today)


def picture(desk: Desk) -> Attachment | None:
    """Return the last weeks' money as a picture for the digest, None when there was none. Slow: call it in a thread."""
    period = _lately(desk)
    issued, paid = _issued(period, desk), _paid(period, desk)
    return _picture(period, issued, paid, desk) if issued or paid else None


def _issued(period: Period, desk: Desk) -> list[Record]:
    return [r for r in desk.records("invoice") if _on(r, "issued") in period and r.data["status"] not in TAKEN_BACK]


def _paid(period: Period, desk: Desk) -> list[Record]:
    return [r for r in desk.records("payment") if _on(r, "day") in period]


def _report(period: Period, desk: Desk) -> Proposal:
    issued, paid = _issued(period, desk), _paid(period, desk)
    opened = [r for r in desk.records("invoice") if r.data["status"] in OPEN]
    late = [r for r in opened if date.fromisoformat(r.data["due"]) < local_day(desk)]
    invoiced, received = _total(issued, "net"), _total(paid, "amount")
    before = _before(period)
    was_invoiced, was_received = _total(_issued(before, desk), "net"), _total(_paid(before, desk), "amount")
    earlier = f", in brackets the {_days(period)} days before" if was_invoiced or was_received else ""
    rows = [
        f"{day_words(period.first)} to {day_words(period.last)}{earlier}:",
        f"- Invoiced: {_sum(invoiced)}{_on_papers(issued, 'before VAT on', 'invoice')}"
        + (f" ({_sum(was_invoiced)})" if earlier else ""),
        f"- Received: {_sum(received)}{_on_papers(paid, 'in', 'payment')}"
        + (f" ({_sum(was_received)})" if earlier else ""),
        f"- Open now: {_sum(_left(opened))}" + (f", of which overdue {_sum(_left(late))}" if late else ""),
    ]
    if busiest := _by_client(issued):
        name, sums = busiest
        rows.append(f"- Largest client: {name}, {total_words(sums)}")
    for kind, label in (
        ("client", "new client"),
        ("proposal", "proposal"),
        ("ticket", "mail answered"),
        ("post", "post"),
    ):
        if made := [r for r in desk.records(kind) if _made(r, desk) in period]:
            rows.append(f"- {_count(len(made), label)}")
    results: dict[str, Json] = {
        "invoiced": {ccy: str(value) for ccy, value in invoiced.items()},
        "received": {ccy: str(value) for ccy, value in received.items()},
    }
    drawn = _picture(period, issued, paid, desk) if issued or paid else None
    if drawn and (others := sorted({*invoiced, *received} - {_currency(desk)})):
        rows.append(f"The picture shows {_currency(desk)} only, without {' and '.join(others)}.")
    return Proposal(say="\n".join(rows), results=results, files=(drawn,) if drawn else ())


def _saved(period: Period, desk: Desk) -> Proposal:
    counts = {
        kind: sum(1 for record in desk.records(kind) if _made(record, desk) in period) for kind in MINUTES_BY_HAND
    }
    made = {kind: count for kind, count in counts.items() if count}
    minutes = sum(count * MINUTES_BY_HAND[kind] for kind, count in made.items())
    span = f"{day_words(period.first)} to {day_words(period.last)}"
    if not made:
        return Proposal(say=f"Nothing was done from {span}, so nothing was saved.")
    hours, rest = divmod(minutes, 60)
    saved = " ".join(filter(None, (f"{hours} h" if hours else "", f"{rest} min" if rest else "")))
    rows = [f"About {saved} saved, {span}. Estimated, by hand it takes:"]
    rows += [f"- {_count(count, kind)} of {MINUTES_BY_HAND[kind]} min" for kind, count in made.items()]
    return Proposal(say="\n".join(rows), results={"minutes": minutes, "counts": made})


def _before(period: Period) -> Period:
    """Return the stretch of the same length that ended the day before."""
    last = period.first - timedelta(days=1)
    return Period(last - (period.last - period.first), last)


def _days(period: Period) -> int:
    return (period.last - period.first).days + 1


def _currency(desk: Desk) -> str:
    return desk.company.get("currency") or "EUR"


def _sum(sums: Mapping[str, Decimal]) -> str:
    return total_words(sums) if sums else "nothing"


def _on_papers(records: list[Record], words: str, noun: str) -> str:
    return f" {words} {_count(len(records), noun)}" if records else ""


def _on(record: Record, field: str) -> date:
    return date.fromisoformat(str(record.data[field])[:10])


def _made(record: Record, desk: Desk) -> date:
    return record.at.astimezone(desk.zone).date()


def _total(records: list[Record], field: str) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        value, currency = parse_money(record.data[field])
        sums[currency] += value
    return dict(sums)


def _left(records: list[Record]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        value, currency = outstanding(record)
        sums[currency] += value
    return dict(sums)


def _by_client(issued: list[Record]) -> tuple[str, dict[str, Decimal]] | None:
    names = sorted({str(record.data["client_name"]) for record in issued})
    sums = {name: _total([r for r in issued if r.data["client_name"] == name], "net") for name in names}
    return max(sums.items(), key=lambda pair: max(pair[1].values())) if sums else None


def _count(number: int, noun: str) -> str:
    words = noun.split(" ", 1)
    plural = " ".join([words[0] + "s", *words[1:]]) if len(words) > 1 and words[0] != "new" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _picture(period: Period, issued: list[Record], paid: list[Record], desk: Desk) -> Attachment:
    """Draw invoiced and received by week, in the company's currency; the same books give the same bytes."""
    # Imported here: matplotlib takes most of a second, and few answers have a picture.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    currency = _currency(desk)
    starts = _starts(period)
    ends = [*starts[1:], period.last + timedelta(days=1)]
    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for shift, colour, records, field, on, label in (
        (-0.2, INVOICED, issued, "net", "issued", "invoiced before VAT"),
        (0.2, RECEIVED, paid, "amount", "day", "received, with VAT"),
    ):
        heights = []
        for first, end in zip(starts, ends, strict=True):
            inside = [r for r in records if first <= _on(r, on) < end]
            heights.append(float(_total(inside, field).get(currency, Decimal(0))))
        axes.bar([i + shift for i in range(len(starts))], heights, width=0.38, label=label, color=colour)
    by_month = _days(period) > 7 * WEEKS_SHOWN_MAX
    named = [f"{first:%b %Y}" if by_month else f"{first.day} {first:%b}" for first in starts]
    axes.set_xticks(range(len(starts)), named, rotation=45, ha="right")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel(currency)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), labelcolor=INK, borderaxespad=0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    content = buffer.getvalue()
    name = f"report-{period.first.isoformat()}-{period.last.isoformat()}.png"
    return Attachment(name=name, sha256=desk.files.put(content), size=len(content), media_type="image/png")


def _starts(period: Period) -> list[date]:
    """Return the first day of each pair of bars: Mondays, or the first of each month where those would be too many."""
    if _days(period) > 7 * WEEKS_SHOWN_MAX:
        months = (period.last.year - period.first.year) * 12 + period.last.month - period.first.month
        ahead = (divmod(period.first.month - 1 + i, 12) for i in range(months + 1))
        return [date(period.first.year + years, month + 1, 1) for years, month in ahead]
    first = period.first - timedelta(days=period.first.weekday())
    return [first + timedelta(days=7 * i) for i in range((period.last - first).days // 7 + 1)]

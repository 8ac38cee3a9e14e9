"""The ledger as plain-text accounting: a journal for hledger and Ledger, and one for beancount. Pure.

One transaction for each call that was entered; its lines sum to zero by what the conductor let in. Both formats are
text that a person can read, and each names the task it came from, so that ``why`` can be asked.

Source: https://hledger.org/hledger.html#journal, https://beancount.github.io/docs/beancount_language_syntax.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

ROOTS = {
    "assets": "Assets", "liabilities": "Liabilities", "equity": "Equity", "income": "Income", "revenue": "Income",
    "revenues": "Income", "expenses": "Expenses",
}  # fmt: skip
"""What our accounts begin with → the five roots that beancount knows; anything else is below Equity."""


def hledger(entries: Iterable[Any]) -> str:
    """Return a journal that hledger and Ledger read; ``entries`` are rows of the ledger in order."""
    lines = ["; Plain-text accounting, read by hledger and ledger."]
    for rows in _transactions(entries):
        lines.append(f"\n{rows[0].at[:10]} {_note(rows).replace(';', ',')}")
        lines += [f"    {row.account}  {row.amount} {row.currency}" for row in rows]
    return "\n".join(lines) + "\n"


def beancount(entries: Iterable[Any]) -> str:
    """Return the same for beancount, whose accounts are opened before they are used."""
    rows = list(entries)
    first: dict[str, str] = {}
    for row in rows:
        account = beancount_account(row.account)
        first[account] = min(first.get(account, "9999-12-31"), row.at[:10])
    lines = ["; Plain-text accounting, read by beancount."]
    lines += [f"{day} open {account}" for account, day in sorted(first.items())]
    for group in _transactions(rows):
        words = _note(group).replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'\n{group[0].at[:10]} * "{words}"')
        lines.append(f"  task: {group[0].task}")
        lines += [f"  {beancount_account(row.account)}  {row.amount} {row.currency}" for row in group]
    return "\n".join(lines) + "\n"


def beancount_account(name: str) -> str:
    """``"assets:receivable:acme"`` → ``"Assets:Receivable:Acme"``: each part of letters, digits and dashes, a capital first."""
    root, *parts = name.split(":")
    known = ROOTS.get(root.casefold())
    return ":".join([known or "Equity", *map(_part, parts if known else [root, *parts])])


def _part(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    word = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-") or "X" + text.encode().hex()
    return word[0].upper() + word[1:]


def _transactions(entries: Iterable[Any]) -> Iterator[Sequence[Any]]:
    for _, rows in groupby(entries, key=lambda row: (row.task, row.seq)):
        yield list(rows)


def _note(rows: Sequence[Any]) -> str:
    said = " ".join(str(rows[0].note or "").split())
    return said or f"task {rows[0].task}"

"""Who receives money: the name on a payment and the account behind it. Pure.

What counts is the account. A name is what a forged invoice copies, so a known name with another account is somebody new::

    read("Hetzner GmbH <de89 3704-0044 0532 0130 00>")
    # Payee(name="Hetzner GmbH", account="DE89370400440532013000")

A payment that names no account (a refund, which goes back the way it came) goes to the client it is for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.base import Action, Risk, Role
from memory.events import ActionCall

NEW = "NEW PAYEE"
_WRITTEN = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<account>[^<>]*)>\s*")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}")  # ISO 13616
_FORM = re.compile(r"\b(?:gmbh|ug|ag|kg|ohg|se|ltd|limited|llc|inc|plc|co|bv|nv|sarl|sas|sa|srl|spa|ab|oy|as)\b")


@dataclass(frozen=True)
class Payee:
    """Who receives money."""

    name: str
    account: str  # as it is compared: an IBAN without spaces, anything else in small letters

    @property
    def words(self) -> str:
        """``"Hetzner GmbH <DE89 3704 0044 0532 0130 00>"``: as cards show it and history keeps it."""
        return f"{self.name} <{grouped(self.account)}>" if self.name else grouped(self.account)


def read(text: str) -> Payee:
    """Read ``"Name <account>"``, or an account alone; two spellings of one account are one payee."""
    match = _WRITTEN.fullmatch(text)
    return Payee(match["name"], account(match["account"])) if match else Payee("", account(text))


def account(text: str) -> str:
    """Return an account as it is compared: no spaces, dots or look-alike widths, nothing that cannot be seen."""
    flat = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    tight = re.sub(r"[\s.\-]", "", flat).upper()
    return tight if _IBAN.fullmatch(tight) else " ".join(flat.casefold().split())


def grouped(account_: str) -> str:
    """``"DE89370400440532013000"`` → ``"DE89 3704 0044 0532 0130 00"``; what is no IBAN stays as it is."""
    return " ".join(re.findall(".{1,4}", account_)) if is_iban(account_) else account_


def called(name: str) -> str:
    """Return a name as it is compared: letters and digits alone, without the company's legal form."""
    flat = re.sub(r"(?<=\w)\.(?=\w)", "", unicodedata.normalize("NFKC", name).casefold())
    words = re.findall(r"\w+", _FORM.sub(" ", flat.replace("_", " ")))
    return " ".join(words) or " ".join(re.findall(r"\w+", flat))


def is_iban(account_: str) -> bool:
    """Whether an account, as it is compared, is written like an IBAN."""
    return _IBAN.fullmatch(account_) is not None


def is_wrong_iban(text: str) -> bool:
    """Whether a text looks like an IBAN whose check digits do not fit (ISO 7064, mod 97)."""
    known = account(text)
    if not is_iban(known):
        return False
    return int("".join(str(int(letter, 36)) for letter in known[4:] + known[:4])) % 97 != 1


def of(call: ActionCall, action: Action) -> tuple[Payee, ...]:
    """Return who receives money by this call, each account once; nobody when no money leaves by it."""
    name = next(
        (str(call.args[p.name]) for p in action.params if p.role is Role.PAYEE_NAME and call.args.get(p.name)), ""
    )
    found = {
        payee.account: payee if payee.name else Payee(_plain(name), payee.account)
        for text in _named(call, action)
        if (payee := read(text)).account
    }
    if not found and pays(call, action):
        whom = f"client {call.client}" if call.client else _reference(call, action)
        found = {whom.casefold(): Payee("", whom.casefold())}
    return tuple(found.values())


def fallback(call: ActionCall, action: Action) -> tuple[Payee, ...]:
    """Return who receives money where no argument says it, so that a card says it all the same."""
    return () if any(read(text).account for text in _named(call, action)) else of(call, action)


def _named(call: ActionCall, action: Action) -> list[str]:
    values = [call.args.get(param.name) for param in action.params if param.role is Role.PAYEE]
    return [str(each) for value in values for each in (value if isinstance(value, list) else [value]) if each]


def _plain(name: str) -> str:
    """Return a name in which no bracket can pass for the account's."""
    return " ".join(re.sub(r"[<>]", " ", name).split())


def pays(call: ActionCall, action: Action) -> bool:
    """Whether money leaves by it. Our own books issue invoices and credit notes: that moves nothing by itself."""
    return action.risk is Risk.MONEY and not call.name.startswith("books.")


def _reference(call: ActionCall, action: Action) -> str:
    known = [str(call.args[p.name]) for p in action.params if p.role is Role.REFERENCE and call.args.get(p.name)]
    return " ".join([call.name, *known])


def is_among(payee: Payee, texts: Iterable[str]) -> bool:
    """Whether a payee's account is one of those written so."""
    return any(read(text).account == payee.account for text in texts)

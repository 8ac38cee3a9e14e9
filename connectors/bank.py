"""Paying others: an order for a SEPA transfer, prepared for the operator's bank. Soloist does not talk to the bank.

``bank.transfer`` writes one file (pain.001) into ``outbox/bank`` of the home folder and makes a code that a banking app
scans. The bank executes it when the operator has uploaded the one or scanned the other, and released it there: that is the
point of no return, and until then ``bank.withdraw`` takes the file back. The message id is made from the effect's key: one
effect is one file, also when that was moved away meanwhile, and a bank refuses a second order with the same id.

Source: EPC125-05 (SEPA credit transfer rulebook), EPC132-08, EPC069-12; see ``bank_order.py``
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Self

from connectors.bank_order import LEAST, MOST, NAME_MAX, REACH, TEXT_MAX, Order, OrderError, code, latin, read, xml
from connectors.base import (
    Amount,
    Connector,
    Detail,
    EffectClass,
    Health,
    Json,
    OutcomeUnknownError,
    Payee,
    Plumbing,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Subject,
    TryLaterError,
    When,
    Workshop,
    action,
)
from connectors.durable import write_whole

FOREVER = 10 * 365 * 24 * 3600.0  # the note that an order was written stays
FOLDER, WITHDRAWN = Path("outbox/bank"), "withdrawn"
NOTES = Path("bank/written")  # one empty file for each order that was ever written
_PAYEE = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<account>[^<>]*)>\s*")
_ID = re.compile(r"SOL[0-9a-f]{24}")


def _taken_back(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    what = f"{arguments['amount']} to {arguments['payee']}"
    return "bank.withdraw", {"order": receipt.data["order"], "what": what}


class Bank(Connector):
    """Prepares transfers; the operator's bank makes them."""

    service = "bank"

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._folder = workshop.home / FOLDER
        self._notes = workshop.home / NOTES

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self:
        """Return the connector; there is nothing to set up. Whose account pays is said in each order."""
        del values
        return cls(workshop)

    @action(
        Risk.MONEY,
        EffectClass.KEYED,
        says="prepare a bank transfer",
        no_return="once you have uploaded the order or scanned the code, and released it at your bank",
        undo=_taken_back,
        key_window_s=FOREVER,
        timeout_s=60.0,
        rate_per_minute=30,
    )
    async def transfer(
        self,
        *,
        payee: Payee,
        amount: Amount,
        text: Subject,
        holder: Detail,
        from_account: Detail,
        key: str,
        day: When = "",
        from_bic: Plumbing = "",
    ) -> Receipt:
        """Write the order for one transfer, to be uploaded or scanned.

        Args:
            payee: Who is paid, ``"Printer GmbH <DE89 3704 0044 0532 0130 00>"``.
            amount: In EUR, ``"300.00 EUR"``.
            text: What stands on the statement, such as the number of the bill.
            holder: Whose account pays.
            from_account: Its IBAN.
            key: Stable key; the message id is made from it.
            day: When the bank is to execute it; empty or past: on the day the order is written.
            from_bic: Its BIC, where the bank wants one.

        Returns:
            ``ref`` the message id; ``data``: order (the same), file, amount, account, day, pictures (the code).

        Raises:
            RefusedError: It is no SEPA transfer, or the file was changed by hand.
            TryLaterError: The folder cannot be written; nothing was ordered.
            OutcomeUnknownError: Written before, and not where it was: it may be with the bank.
        """
        order = self._order(_message_id(key), payee, amount, text, holder, from_account, day, from_bic)
        path = self._folder / f"{_slug(order.payee)}-{order.message_id}.xml"
        try:
            content = await asyncio.to_thread(self._written, path, order)
            return await asyncio.to_thread(self._receipt, path, content, order)
        except OrderError as error:
            raise RefusedError(f"{error} Nothing was ordered.") from None
        except OSError as error:
            raise TryLaterError(
                f"{error.filename} cannot be written ({error.strerror}). Nothing was ordered; make room for it."
            ) from None

    @action(Risk.REVERSIBLE, EffectClass.KEYED, says="withdraw a transfer order", key_window_s=FOREVER)
    async def withdraw(self, *, order: Reference, what: Subject, key: str) -> Receipt:
        """Take an order back that no bank has yet; withdrawing it twice is once.

        Args:
            order: Its message id, as `transfer` returned it.
            what: What it was, for the card: ``"300.00 EUR to Printer GmbH <DE89 ...>"``.
            key: Not needed: the message id is the key.

        Raises:
            RefusedError: It is not in the folder any more: somebody took it, and the bank may have it.
            TryLaterError: The folder cannot be written; the order is still there.
        """
        del key
        if not _ID.fullmatch(order):
            raise RefusedError(f"{order!r} is no order of ours, so it is left alone.")
        try:
            gone = await asyncio.to_thread(self._withdrawn, order)
        except OSError as error:
            raise TryLaterError(
                f"{error.filename} cannot be moved ({error.strerror}). The order still counts."
            ) from None
        if not gone:
            raise RefusedError(
                f"The order {order} is not in {FOLDER} any more, so the bank may have it. Nothing was changed: look there; "
                "what is executed, only the bank can call back, or the payee can return."
            )
        text = f"Withdrawn: {what}. Do not upload {gone}, nor scan its code."
        return Receipt(order, text, {"order": order, "file": gone})

    async def health(self) -> Health:
        """Say how many orders lie ready; what is uploaded, only the operator knows."""
        waiting = len([*self._folder.glob("*.xml")])
        lie = f"{waiting} order{'s lie' if waiting != 1 else ' lies'} in {FOLDER}" if waiting else f"{FOLDER} is empty"
        return Health(ok=True, text=f"{lie}; what you have uploaded can be moved away.")

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    def _order(
        self, message_id: str, payee: str, amount: str, text: str, holder: str, from_account: str, day: str, bic: str
    ) -> Order:
        match = _PAYEE.fullmatch(payee)
        if match is None or not latin(match["name"], NAME_MAX):
            raise RefusedError(f"{payee!r} does not say who is paid on which account: write Name <IBAN>.")
        if not latin(holder, NAME_MAX):
            raise RefusedError("The order does not say whose account pays: your name stands in company.toml.")
        if not latin(text, TEXT_MAX):
            raise RefusedError("The order does not say what is paid; the payee could not tell.")
        now = self._workshop.now()
        try:
            wanted = date.fromisoformat(day) if day else now.date()
        except ValueError:
            raise RefusedError(f"{day!r} is no day like 2026-12-01.") from None
        return Order(
            message_id=message_id,
            made=now,
            day=max(wanted, now.date()),
            holder=holder,
            from_account=_account(from_account, "Your account"),
            from_bic=bic.replace(" ", "").upper(),
            payee=match["name"],
            account=_account(match["account"], "The payee's account"),
            amount=_sum(amount),
            text=text,
        )

    def _written(self, path: Path, order: Order) -> bytes:
        """Return the order's file, which is written once in all."""
        note = self._notes / order.message_id
        if path.exists():
            content = path.read_bytes()
            if read(content) != (order.message_id, order.account, f"{order.amount} EUR"):
                raise OrderError(f"{FOLDER / path.name} says something else than was approved: it was changed by hand.")
        elif note.exists() or (self._folder / WITHDRAWN / path.name).exists():
            raise OutcomeUnknownError(
                f"This order was written before and is not in {FOLDER} any more: it may be with the bank. Look "
                "there; to order it anew, drop this one and ask again."
            )
        else:
            content = xml(order)
            write_whole(path, content)
        write_whole(note, b"")
        return content

    def _receipt(self, path: Path, content: bytes, order: Order) -> Receipt:
        message_id, account, amount = read(content)
        picture = code(order)
        image = path.with_suffix(".png")
        write_whole(image, picture)
        later = f" on {order.day}" if order.day > self._workshop.now().date() else ""
        once = " The code holds no day: scanned, it is paid at once." if later else ""
        data: dict[str, Json] = {
            "order": message_id, "file": str(FOLDER / path.name), "account": account, "amount": amount,
            "day": order.day.isoformat(),
            "pictures": [{
                "name": image.name, "sha256": self._workshop.files.put(picture), "size": len(picture),
                "media_type": "image/png",
            }],
        }  # fmt: skip
        text = (
            f"The order to pay {order.payee} {amount}{later} lies in {FOLDER / path.name}. Nothing is paid yet: upload it at "
            f"your bank, or scan the code with its app; not both.{once}"
        )
        return Receipt(message_id, text, data)

    def _withdrawn(self, order: str) -> str:
        """Return where the order lies now that it is withdrawn, "" when it is nowhere."""
        aside = self._folder / WITHDRAWN
        for path in sorted(self._folder.glob(f"*-{order}.*")):
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)
        return next((str(FOLDER / WITHDRAWN / path.name) for path in aside.glob(f"*-{order}.xml")), "")


def _message_id(key: str) -> str:
    return f"SOL{hashlib.sha256(key.encode()).hexdigest()[:24]}"  # at most 35 characters of the plainest kind


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", latin(name, NAME_MAX).casefold()).strip("-")[:40] or "payee"


def _account(text: str, whose: str) -> str:
    account = re.sub(r"[\s.-]", "", text).upper()
    turned = account[4:] + account[:4]
    if (
        not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", account)
        or int("".join(str(int(c, 36)) for c in turned)) % 97 != 1
    ):
        raise RefusedError(f"{whose} {text!r} is no IBAN: a digit is missing or wrong, and money would go astray.")
    if account[:2] not in REACH:
        raise RefusedError(f"{whose} is in {account[:2]}, which a SEPA transfer does not reach. Pay it at your bank.")
    return account


def _sum(amount: str) -> Decimal:
    digits, _, currency = amount.partition(" ")
    if currency != "EUR":
        raise RefusedError(f"A SEPA transfer is in EUR, and this is {amount}. Pay it at your bank.")
    try:
        value = Decimal(digits)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and LEAST <= value <= MOST and value == value.quantize(LEAST)):
        raise RefusedError(f"{amount} cannot be transferred: between {LEAST} and {MOST} EUR, in whole cents.")
    return value.quantize(LEAST)

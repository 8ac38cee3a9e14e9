"""What kind of value a field of an intent takes, read from its annotation."""

from __future__ import annotations

import types
import typing
from functools import cache

from pydantic.fields import FieldInfo

from agents.base import Intent
from agents.slots import Kind, Written

WIDER = {
    "money": ("money", "number"), "day": ("day", "moment", "period", "terms"), "moment": ("moment", "day", "period"),
    "period": ("period", "day"), "terms": ("terms",), "span": ("span",), "every": ("every",), "email": ("email",),
    "client": ("client",), "invoice": ("invoice", "number"), "int": ("number",),
    "iban": ("iban",),
}  # fmt: skip
"""Which spans may fill a kind, the best first."""


def kind_of(field: FieldInfo) -> str:
    """Return ``"money"``, ``"day"``, ..., ``"choice"``, ``"int"``, ``"bool"``, or ``"text"`` for any words."""
    for mark in field.metadata:
        if isinstance(mark, Kind):
            return mark.name
    return _kind(field.annotation)


def _kind(annotation: object) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Written):
        return annotation.kind
    if annotation in {bool, int}:
        return "bool" if annotation is bool else "int"
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        base, *marks = typing.get_args(annotation)
        return next((mark.name for mark in marks if isinstance(mark, Kind)), _kind(base))
    if origin is typing.Literal:
        return "choice"
    if origin in {typing.Union, types.UnionType}:
        return next(_kind(part) for part in typing.get_args(annotation) if part is not type(None))
    return "text"


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the values of a ``Literal`` field."""
    found: list[str] = []

    def walk(annotation: object) -> None:
        if typing.get_origin(annotation) is typing.Literal:
            found.extend(str(value) for value in typing.get_args(annotation))
            return
        for part in typing.get_args(annotation):
            walk(part)

    walk(field.annotation)
    return tuple(found)


@cache
def slots_of(intent: type[Intent]) -> dict[str, str]:
    """Return slot → kind, in the order they are declared."""
    return {name: kind_of(field) for name, field in intent.model_fields.items()}

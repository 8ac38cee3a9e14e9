"""What a webhook may say: one strict model a kind. A body that fits none is not guessed at.

The envelope is that of Standard Webhooks::

    {"type": "form.filled", "id": "f-1", "data": {"form": "contact", "fields": {"email": "anna@acme.example"}}}
    {"type": "subscription.bought", "id": "s-1", "data": {"email": "anna@acme.example", "plan": "Studio"}}

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (payload)
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError

from connectors.base import Json

FIELDS_MAX = 100
WORDS_MAX = 2_000  # of what a person reads

Line = Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^\s@<>,;:\"\x00-\x1f]+@[^\s@<>,;:\"\x00-\x1f]+$")]
Text = Annotated[StrictStr, Field(max_length=20_000)]
Value = Text | StrictBool | StrictInt | None | Annotated[list[Text], Field(max_length=100)]


class _Said(BaseModel):
    """Anything somebody says; what it says besides is left out."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Filled(_Said):
    """The fields of a form, by the names their author gave them."""

    form: Line = ""
    fields: Annotated[dict[Line, Value], Field(min_length=1, max_length=FIELDS_MAX)]


class Bought(_Said):
    """Who subscribed to what."""

    email: Email
    plan: Annotated[Line, Field(min_length=1)]
    name: Line = ""
    company: Line = ""
    amount: Annotated[str, Field(pattern=r"^([0-9]{1,12}(\.[0-9]{1,4})? [A-Z]{3})?$")] = ""  # "49.00 EUR"
    interval: Literal["", "day", "week", "month", "year"] = ""  # how often the amount is paid
    reference: Line = ""


class FormFilled(_Said):
    """Somebody filled in a form."""

    type: Literal["form.filled"]
    id: Line = ""
    data: Filled


class SubscriptionBought(_Said):
    """Somebody bought a subscription."""

    type: Literal["subscription.bought"]
    id: Line = ""
    data: Bought


Body = FormFilled | SubscriptionBought
_BODY: TypeAdapter[Body] = TypeAdapter(Annotated[Body, Field(discriminator="type")])


class UnfitError(ValueError):
    """The body is none that we know; the message says why, without quoting it."""


def read(content: bytes) -> Body:
    """Return what a body says.

    Raises:
        UnfitError: It is no JSON, of no kind we know, or lacks what its kind must have.
    """
    try:
        return _BODY.validate_python(json.loads(content, parse_constant=_no_constant))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        raise UnfitError(f"{where or 'the whole'}: {first['type']}") from None
    except (ValueError, RecursionError):
        raise UnfitError("it is no JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def kind_of(body: Body) -> str:
    """Return the canonical event: ``form`` or ``subscription``."""
    return "form" if isinstance(body, FormFilled) else "subscription"


def facts(body: Body) -> dict[str, Json]:
    """Return a body as canonical JSON."""
    return {"type": body.type, "id": body.id, **body.data.model_dump()}


def words(body: Body) -> str:
    """Return what a person would read."""
    if isinstance(body, FormFilled):
        rows = [
            f"{name}: {_shown(value)}" for name, value in body.data.fields.items() if value is not None and value != ""
        ]
        return "\n".join(rows)[:WORDS_MAX]
    who = body.data.company or body.data.name or body.data.email
    return (
        f"{who} bought {body.data.plan}"
        + (f" for {body.data.amount}" if body.data.amount else "")
        + (f" a {body.data.interval}" if body.data.interval else "")
        + "."
    )


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)

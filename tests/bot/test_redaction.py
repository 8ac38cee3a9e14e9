"""No known secret is left in any form a service might echo it in."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest

from bot.redaction import RedactingFormatter, Redactor

SECRET = 'sk_live_Zoë"7f3/+b9c2=='
redact = Redactor([SECRET, "short", ""])


@pytest.mark.parametrize(
    "echo",
    [SECRET, quote(SECRET, safe=""), quote(SECRET), json.dumps({"key": SECRET}), repr([SECRET]), f"a{SECRET}{SECRET}b"],
)
def test_a_secret_is_replaced_in_every_form(echo: str) -> None:
    assert "7f3" not in redact(echo)
    assert "[secret]" in redact(echo)


@pytest.mark.parametrize("before", ["", "u:", "us:", "user:"])
def test_a_secret_inside_base64_is_replaced_wherever_it_begins(before: str) -> None:
    echo = base64.b64encode(f"{before}{SECRET}!".encode()).decode()
    assert "[secret]" in redact(f"Basic {echo}")


def test_what_is_too_short_to_be_a_secret_blacks_out_nothing() -> None:
    assert redact("in short: nothing happened") == "in short: nothing happened"
    assert Redactor()("anything") == "anything"


def test_json_is_cleaned_in_keys_and_depths_and_numbers_stay() -> None:
    assert redact.all({SECRET: [1, {"a": SECRET}, None]}) == {"[secret]": [1, {"a": "[secret]"}, None]}


def test_a_traceback_is_cleaned_too() -> None:
    try:
        raise ValueError(f"bad key {SECRET}")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 1, "broke: %s", (SECRET,), (ValueError, error, error.__traceback__)
        )
    line = RedactingFormatter("%(message)s", redact).format(record)
    assert "ValueError: bad key [secret]" in line
    assert SECRET not in line

"""The ladder in connectors/README.md, held against the code: whoever adds a connector or an undo must say so there."""

import re
from pathlib import Path

import pytest

import connectors
from connectors.base import Connector, EffectClass, Risk
from tests.connectors.test_contract import WITHOUT_A_BREAKER

FOUND = connectors.discover()
README = Path(connectors.__file__).parent / "README.md"
RUNGS = (
    "records", "undo", "effect class", "reconcile", "rate limit", "bulkhead", "breaker", "time-outs", "reauthentication", "health",
    "inbound", "judged by",
)  # fmt: skip
STATES = ("done", "to do", "n/a")
UNDONE: set[tuple[str, str]] = set()
"""What is still to do; a rung that is climbed, or a new one that is not, is said here too."""


def ladder(text: str) -> dict[str, dict[str, str]]:
    """Return connector → rung → cell, from every table below the heading."""
    found: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for row in text.partition("## The ladder")[2].splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")] if row.startswith("|") else []
        if not cells:
            columns = []
        elif not cells[0] and not columns:
            columns = cells[1:]
        elif columns and not set(row) <= set("|- "):
            rung = re.sub(r" \(.*\)| held by a test", "", cells[0])
            assert len(cells) == len(columns) + 1, row
            for column, cell in zip(columns, cells[1:], strict=True):
                found.setdefault(column, {})[rung] = cell
    return found


def faults(rungs: dict[str, dict[str, str]]) -> list[str]:
    """Return in what the ladder and the code differ, a sentence each."""
    wrong = [f"{name} has no column" for name in FOUND if name not in rungs]
    wrong += [f"{name} is no connector" for name in rungs if name not in FOUND]
    for name, cls in FOUND.items():
        cells = rungs.get(name, {})
        wrong += [f"{name} says nothing of {rung}" for rung in RUNGS if not cells.get(rung)]
        if set(RUNGS) <= set(cells):
            wrong += [f"{name}: {each}" for each in _differences(name, cls, cells)]
    return wrong


def _differences(name: str, cls: type[Connector], cells: dict[str, str]) -> list[str]:
    actions = cls.actions().values()
    changing = [each for each in actions if each.risk is not Risk.READS]
    facts = {
        "undo": name == "mcp" or any(each.undo for each in changing),  # its tools are only known from a home folder
        "inbound": cls.listen is not Connector.listen or hasattr(cls, "webhook"),
        "health": cls.health is not Connector.health,
        "breaker": name not in WITHOUT_A_BREAKER or name == "mcp",
        "reconcile": any(each.effect is not EffectClass.PLAIN for each in changing),
    }
    wrong = []
    for rung in RUNGS[:-1]:
        state = next((each for each in STATES if cells[rung].startswith(each)), "")
        if not state:
            wrong.append(f"{rung} begins with none of {', '.join(STATES)}: {cells[rung]!r}")
        if (state == "to do") != ((name, rung) in UNDONE):
            wrong.append(f"{rung} is {state!r}, and UNDONE of this test says otherwise")
        if state == "n/a" and ":" not in cells[rung]:
            wrong.append(f"{rung} is not applicable without a reason")
        if rung in facts and state != "to do" and facts[rung] != (state == "done"):
            wrong.append(f"{rung} is {state!r}, and the code says {facts[rung]}")
    classes = {each.effect.value for each in changing}
    wrong += [f"its class {each} is not named" for each in sorted(classes) if each not in cells["effect class"]]
    logs_in_with_oauth = any("_OAUTH_" in setting.name for setting in cls.settings)
    if logs_in_with_oauth and "OAuth 2" not in cells["reauthentication"]:
        wrong.append("it logs in with OAuth 2 and does not say so")
    return wrong


def test_the_ladder_is_as_the_code_is() -> None:
    assert faults(ladder(README.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("was", "is_", "fault"),
    [
        ("done: post ↔ delete", "n/a: post ↔ delete", "bluesky: undo is 'n/a', and the code says True"),
        (
            "| n/a: reads | n/a: only listens | done: each",
            "| done | n/a: only listens | done: each",
            "web: undo is 'done'",
        ),
        ("| inbound | done: ours moved", "| inbound | n/a: ours moved", "calendar: inbound is 'n/a'"),
        ("done: plain, unless", "done: safe, unless", ""),
        ("done: reconcilable, see below", "done: see below", "mail: its class reconcilable is not named"),
        ("| calendar | web |", "| calender | web |", "calendar has no column"),
        ("done: OAuth 2 (discovery", "to do: OAuth 2 (discovery", "UNDONE of this test says otherwise"),
        ("OAuth 2 (Google), as for mail", "as for mail", "it logs in with OAuth 2 and does not say so"),
        ("n/a: git's own", "git's own", "begins with none of"),
        ("n/a: git's own", "n/a", "without a reason"),
    ],
)
def test_a_ladder_that_says_something_else_is_found(was: str, is_: str, fault: str) -> None:
    text = README.read_text(encoding="utf-8")
    assert was in text
    found = faults(ladder(text.replace(was, is_, 1)))
    assert any(fault in each for each in found) if fault else found == []

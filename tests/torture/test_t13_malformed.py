"""T13: what no person types, on the terminal and at the two doors behind every channel: an answer, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import time
from datetime import timedelta
from pathlib import Path

from bot.channels.base import RefusedPressError
from bot.channels.console import Console, stdin_lines
from bot.runner import REFUSALS_TOLD_PER_HOUR
from bot.testing import OPERATOR, PLACE
from tests.torture.bare import BareHouse, Found, no_delay

HANG_S = 1.0
BITS = (
    "\x00", "\x1b[2J", "\ud800", "\udcff", "\u202e", "\u200b", "\ufeff", "\U0010ffff", "\r", "\t", "'", '"', "\\", "%s%n",
    "{0}", "${x}", "../../etc/passwd", "'; DROP TABLE events; --", "<script>alert(1)</script>", "=cmd|' /C calc'!A0",
    "[[[[[[[[", "NaN", "1e999", "-0", "١٢٣", "𝟙", "ß", "İ", "🏴‍☠️", "é", "approve?", "approve all", "12.1", "@", "#", "/",
    "/pause\x00", "undo!", "a" * 5000, '{"type":"Settled"}', "\u2028", "ask", "ask ", "ask x to= body==", "approve 1.1@",
)  # fmt: skip


def garbage(chance: random.Random) -> str:
    return chance.choice(("", " ")).join(chance.choice(BITS) for _ in range(chance.randint(1, 5)))


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` lines on the terminal, as many presses, a tenth as many items and messages by the other doors."""
    found = Found(seed)
    chance = random.Random(seed)
    async with BareHouse(folder / "home", policy=no_delay()) as house:
        card = f"{await house.operator('ask post body=waiting')}.1"
        out = io.StringIO()
        lines = iter([garbage(chance).replace("\n", " ") + "\n" for _ in range(count)])
        console = Console(lambda: next(lines, ""), out)
        began = time.monotonic()
        await console.run(house.runner)
        found.counts["lines"] = count
        spent = time.monotonic() - began
        found.expect(spent / count < HANG_S, f"{spent:.0f} s for {count} lines")
        answers = out.getvalue().count("· ok\n") + out.getvalue().count("! ")
        found.expect(answers > count * 0.9, f"{answers} answers to {count} lines")
        await house.runner.settled()
        await _presses(house, card, count, chance, found)
        await _doors(house, count // 10, chance, found)
        found.expect(not house.provider.accepted, "garbage did something")
        found.expect(house.card(card).state == "pending", f"garbage settled a card: {house.card(card).outcome}")
        found.faults += house.wrong()
    return found


async def _presses(house: BareHouse, card: str, count: int, chance: random.Random, found: Found) -> None:
    real, _ = house.button("Approve", card)
    for number in range(count):
        handle = garbage(chance) if chance.random() < 0.5 else real[: chance.randrange(len(real))] + garbage(chance)
        try:
            await house.runner.pressed(
                f"g{number}", handle, chance.choice(("approve", "undo", "say", "")), OPERATOR, PLACE
            )
        except RefusedPressError:
            found.counts["presses refused"] += 1
    found.expect(found.counts["presses refused"] == count, "a press of garbage was not refused")


async def _doors(house: BareHouse, count: int, chance: random.Random, found: Found) -> None:
    from connectors.base import Incoming

    for number in range(count):
        words = garbage(chance)
        async with asyncio.timeout(120):
            await house.runner.heard(f"d{number}", words, OPERATOR, PLACE, reply_to=garbage(chance))
            data = {words: [words, {"deep": words}], "n": number}
            await house.runner.arrived(Incoming("shop", "x", f"i{number}", words[:50], house.clock(), data, words))
            handle, _ = house.button("Approve")
            try:
                await house.runner.pressed(
                    f"e{number}", handle, "edit", OPERATOR, PLACE, reason=words, edits={words: words}
                )
            except RefusedPressError:
                found.counts["edits refused"] += 1
        found.counts["messages and items"] += 2
    await house.runner.settled()


async def test_five_thousand_malformed_inputs_get_an_answer_and_do_nothing(yard: Path) -> None:
    found = await torture(yard, 2500, 13)
    assert not found.faults, found


def test_bytes_that_are_no_text_do_not_end_a_pipe() -> None:
    read = stdin_lines(io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x80 one\n\xc3\x28 two\nthree\n"), encoding="utf-8"))
    assert [read().rstrip()[-3:] for _ in range(3)] == ["one", "two", "ree"]
    assert read() == ""


async def test_a_flood_of_false_presses_costs_the_last_as_little_as_the_first(yard: Path) -> None:
    """A hundred thousand of them once took ever longer: each copied the list of all those before it."""
    async with BareHouse(yard / "home", policy=no_delay()) as house:

        async def pressed(times: int, name: str) -> int:
            for number in range(times):
                with contextlib.suppress(RefusedPressError):
                    await house.runner.pressed(f"{name}{number}", "none of ours", "approve", OPERATOR, PLACE)
            await house.runner.settled()
            return sum("never made. Refused." in words for words in house.channel.words)

        assert await pressed(500, "flood") == REFUSALS_TOLD_PER_HOUR
        assert len(house.runner._refusals[OPERATOR.platform]) == REFUSALS_TOLD_PER_HOUR
        house.clock.at += timedelta(minutes=61)
        assert await pressed(2, "again") == REFUSALS_TOLD_PER_HOUR + 2, "an hour later it is told again"

"""Who the operator is."""

from __future__ import annotations

from datetime import timedelta

from bot.channels.telegram.pairing import TRIES_ALL_MAX, TRIES_EACH_MAX, Pairing
from tests.counterparts.telegram_ear import PaperPairing, QuickClock


def made(clock: QuickClock, printed: list[str]) -> Pairing:
    return Pairing(PaperPairing(), clock.now, printed.append)


async def test_the_code_is_taken_once_in_any_spelling() -> None:
    printed: list[str] = []
    pairing = made(QuickClock(), printed)
    code = pairing.code()
    assert code is not None
    assert code in printed[0]
    assert await pairing.attempt(f" /start {code.lower().replace('-', '')} ", 1, 1)
    assert (pairing.user_id, pairing.chat_id, pairing.code()) == (1, 1, None)
    assert not await pairing.attempt(code, 2, 2)


async def test_a_code_runs_out_and_a_new_one_is_printed() -> None:
    clock, printed = QuickClock(), list[str]()
    pairing = made(clock, printed)
    old = pairing.code()
    clock.at += timedelta(hours=1)
    assert not await pairing.attempt(str(old), 1, 1)
    assert len(printed) == 2
    assert await pairing.attempt(str(pairing.code()), 1, 1)


async def test_guessing_ends_for_one_and_then_for_the_code() -> None:
    printed: list[str] = []
    pairing = made(QuickClock(), printed)
    code = str(pairing.code())
    for _ in range(TRIES_EACH_MAX):
        assert not await pairing.attempt("AAAA-AAAA", 9, 9)
    assert not await pairing.attempt(code, 9, 9), "this one has guessed too often"
    for number in range(TRIES_ALL_MAX - TRIES_EACH_MAX):
        assert not await pairing.attempt("AAAA-AAAA", 100 + number, 1)
    assert len(printed) == 2
    assert not await pairing.attempt(code, 1, 1)

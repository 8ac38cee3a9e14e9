"""Understanding: what a message may and may not be taken for. The classifier here has words alone, as with no model."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from agents import discover
from agents.base import Intent, Risk
from agents.slots import ClientName, Every, Money
from bot.control import CONTROL, EXACT
from bot.intents import NEEDED, TEXT_MAX, TRAININGS_MAX, Reading, Understanding, spelled
from bot.reading.router import Router

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, 0, tzinfo=ZONE)
LONG_S = 280.0  # a bound for a broken training, not a time that it may take
CLIENTS = (("acme", "Acme GmbH"), ("globex", "Globex"), ("kestrel", "Kestrel Studio"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training for the whole file."""
    return tmp_path_factory.mktemp("intents")


@pytest.fixture(scope="module")
def understanding(cache: Path) -> Understanding:
    house = Understanding.of(discover(), cache=cache)
    assert house.ready(LONG_S)
    return house


def read(understanding: Understanding, text: str, **more: object) -> Reading:
    scene = {"now": NOW, "zone": ZONE, "locale": "en_GB", "currency": "EUR", "clients": CLIENTS, **more}
    return understanding.read(text, **scene)  # type: ignore[arg-type]


# ── commands and patterns ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mark", ["/", "!"])
def test_every_intent_is_reachable_as_a_command(understanding: Understanding, mark: str) -> None:
    for name, intent in understanding.intents.items():
        for word in filter(None, (name, intent.command)):
            reading = read(understanding, f"{mark}{word}")
            assert reading.intent == name or (reading.ask and reading.others[0].intent == name), word
            assert reading.tier == "command"


def test_a_command_of_a_bot_in_a_group_is_the_same_command(understanding: Understanding) -> None:
    assert read(understanding, "/unpaid@soloist_bot").intent == "unpaid"


def test_a_command_with_words_fills_the_slots(understanding: Understanding) -> None:
    reading = read(understanding, "/invoice Acme 1,200 for the March retainer, net 14")

    assert reading.intent == "invoice"
    assert reading.slots == {
        "client": "Acme", "amount": "1200.00 EUR", "what": "the March retainer", "terms": "net 14",
    }  # fmt: skip


def test_an_unknown_command_does_nothing_and_offers_what_is_near(understanding: Understanding) -> None:
    reading = read(understanding, "/invcie Acme 5")

    assert reading.intent == ""
    assert "/invoice Acme 5" in [choice.text for choice in reading.choices]


def test_the_first_button_of_a_new_chat_is_help(understanding: Understanding) -> None:
    assert read(understanding, "/start").intent == "help"


def test_a_pattern_is_read_with_its_slots_and_what_was_assumed(understanding: Understanding) -> None:
    reading = read(understanding, "Please invoice Acme 1,200 for the March retainer, net 14.")

    assert (reading.intent, reading.tier, reading.confidence_pct) == ("invoice", "pattern", 100)
    assert reading.assumed == ("1,200 read as EUR.",)
    assert understanding.intents["invoice"].model_validate(reading.slots)


def test_commands_and_patterns_answer_while_the_classifier_is_not_there(
    cache: Path, understanding: Understanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert understanding.ready()
    house = Understanding.of(discover(), cache=cache)
    gate = threading.Event()

    def slow() -> None:
        gate.wait(30)

    house._open_embedder = slow  # training stands still until the gate opens
    house.warm()
    try:
        assert read(house, "/unpaid").intent == "unpaid"
        assert read(house, "invoice Acme 1,200").intent == "invoice"
        assert read(house, "remind me tomorrow at 9 to call Bob").intent == "remind_me"
        monkeypatch.setattr("bot.intents.PATIENCE_S", 0.0)
    finally:
        gate.set()
        house.ready(LONG_S)


def test_what_was_learned_counts_where_it_cannot_be_kept(
    tmp_path: Path, understanding: Understanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = understanding._router
    monkeypatch.setattr(Router, "train", lambda *_, **__: learned)
    (tmp_path / "full").write_text("no folder can be made here")
    house = Understanding.of(discover(), cache=tmp_path / "full" / "intents")
    assert house.ready(LONG_S)


def test_every_declared_pattern_is_read_as_its_own_intent(understanding: Understanding) -> None:
    wrong = []
    for name, intent in understanding.intents.items():
        for pattern in intent.patterns:
            reading = read(understanding, spelled(intent, pattern))
            got = reading.intent or (reading.others[0].intent if reading.others else "")
            if got != name:
                wrong.append((pattern, spelled(intent, pattern), name, got))
    assert len(wrong) <= len(understanding.intents) // 10, wrong


# ── slots ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_ambiguous_amount_is_a_question_and_no_invoice(understanding: Understanding) -> None:
    reading = read(understanding, "invoice Acme 1.200")

    assert reading.intent == ""
    assert "1,200" in reading.ask
    assert read(understanding, "invoice Acme 1.200", locale="de_DE").slots["amount"] == "1200.00 EUR"


def test_two_amounts_are_a_question(understanding: Understanding) -> None:
    reading = read(understanding, "send Acme an invoice over 1,200 EUR or maybe 1,500 EUR for the site")

    assert reading.intent == ""
    assert "amount" in reading.ask.lower() or "how much" in reading.ask.lower()


def test_a_required_slot_that_is_missing_is_asked_for_and_the_answer_completes_it(understanding: Understanding) -> None:
    asked = read(understanding, "/remember")
    assert asked.intent == ""
    assert asked.ask == "What shall I remember?"

    reading = read(understanding, "Acme pays late", last=("/remember",))

    assert reading.intent == "remember"
    assert "Acme pays late" in str(reading.slots["what"])


def test_a_new_request_is_not_taken_for_an_answer(understanding: Understanding) -> None:
    assert read(understanding, "what's unpaid?", last=("/remember",)).intent == "unpaid"


def test_a_client_slot_keeps_what_was_typed(understanding: Understanding) -> None:
    assert read(understanding, "invoice kestrel 300").slots["client"] == "kestrel"


def test_slots_are_canonical_json_that_the_intent_validates(understanding: Understanding) -> None:
    for text in ("remind me every Friday at 4pm to do the books", "Acme paid 500 on 2026-0003", "agenda tomorrow"):
        reading = read(understanding, text)
        assert reading.intent, text
        assert understanding.intents[reading.intent].model_validate(reading.slots), text
        assert reading.understood("1").slots == reading.slots


# ── several requests ──────────────────────────────────────────────────────────────────────────────────────────────


def test_two_requests_are_cut_and_the_cut_is_shown(understanding: Understanding) -> None:
    reading = read(understanding, "invoice Acme 1,200 and remind me on Friday to call Bob")

    assert reading.intent == "invoice"
    assert reading.slots == {"client": "Acme", "amount": "1200.00 EUR"}
    assert reading.rest == ("remind me on Friday to call Bob",)
    assert any("2 requests" in sentence for sentence in reading.assumed)


@pytest.mark.parametrize(
    "text",
    [
        "remind me on Friday to call Bob and send the offer",
        "invoice Acme 300 for cards and envelopes",
        "email Acme that the logo is done and the invoice follows",
        "remember that Acme and Globex share an office",
    ],
)
def test_an_and_inside_one_request_cuts_nothing(understanding: Understanding, text: str) -> None:
    assert read(understanding, text).rest == ()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("cancel the lunch with Acme and tell them that we moved", "tell Acme that we moved"),
        ("refund Acme 50; tell her we are sorry", "tell Acme we are sorry"),
        ("who is Globex and what do they owe", "what do Globex owe"),
        ("onboard Acme and send an invoice of 300 to their office", "send an invoice of 300 to Acme's office"),
    ],
)
def test_a_part_that_leans_on_a_name_is_read_with_it(understanding: Understanding, text: str, rest: str) -> None:
    assert read(understanding, text).rest == (rest,)


@pytest.mark.parametrize(
    "text",
    [
        "Globex wants to pay by card, make them a link",  # one wish and its reason
        "refund Acme 50, it was a duplicate, credit it",
        "report on October, with a chart",
    ],
)
def test_what_belongs_together_is_not_cut(understanding: Understanding, text: str) -> None:
    assert read(understanding, text).rest == ()


def test_what_is_likely_two_requests_is_asked_about_and_neither_is_lost(
    understanding: Understanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "sort the inbox and answer Acme kindly"
    monkeypatch.setattr(Understanding, "_may_cut", lambda *_, **__: False)

    reading = read(understanding, text)

    assert not reading.intent
    both = {"/triage sort the inbox", "/reply_mail answer Acme kindly"}
    assert {choice.text for choice in reading.choices} == both
    monkeypatch.setattr(Understanding, "_torn", lambda *_: None)
    assert not both & {choice.text for choice in read(understanding, text).choices}  # and the answer would be lost


# ── what must never be an action ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "don't invoice Acme 1,200",
        "do not remind Acme to pay",
        "never send that mail to Globex",
        "please don't book anything on Friday",
    ],
)
def test_what_must_not_be_done_is_not_done(understanding: Understanding, text: str) -> None:
    assert read(understanding, text).intent == ""


def test_a_dont_that_is_a_wish_of_its_own_is_understood(understanding: Understanding) -> None:
    assert read(understanding, "don't publish the post about the fair").intent == "cancel_post"
    assert read(understanding, "don't send anything").intent == "pause"
    assert read(understanding, "don't forget that Acme moved").intent == "remember"


@pytest.mark.parametrize(
    "text",
    ["stop the monthly one for acme", "stop the recurring invoice for Acme", "cancel the monthly invoice to Acme"],
)
def test_what_comes_again_can_be_stopped_in_words(understanding: Understanding, text: str) -> None:
    reading = read(understanding, text)

    assert (reading.intent, reading.slots["client"].casefold()) == ("stop_standing", "acme")


def test_what_is_not_so_is_no_news_that_it_is(understanding: Understanding, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Acme hasn't paid" must not become a payment, however much the words are like one."""
    assert read(understanding, "Acme hasn't paid").intent != "mark_paid"
    assert read(understanding, "Acme hasnt paid 2026-0004").intent != "mark_paid"
    monkeypatch.setattr("bot.intents._DENIAL", re.compile("(?!)"))
    assert read(understanding, "Acme hasnt paid 2026-0004").intent == "mark_paid"


@pytest.mark.parametrize(
    "text", ["publish the app to the store", "pause the google ads", "look up my phone number in the sky"]
)
def test_a_loose_pattern_gives_way_where_the_words_are_nobodys(
    understanding: Understanding, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(understanding, text).intent == ""
    monkeypatch.setattr(Understanding, "_doubted", lambda *_: False)
    assert read(understanding, text).tier == "pattern"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("remember Acme pays on Fridays", "Acme pays on Fridays"),
        ("remember Globex prefers mail", "Globex prefers mail"),
    ],
)
def test_what_is_to_be_remembered_needs_no_that(understanding: Understanding, text: str, what: str) -> None:
    reading = read(understanding, text)

    assert (reading.intent, reading.slots) == ("remember", {"what": what})
    assert read(understanding, "remember to call Bob tomorrow").intent == "remind_me"


def test_a_name_that_nobody_knows_does_not_swallow_what_is_said(understanding: Understanding) -> None:
    assert read(understanding, "tell Acme the proofs are ready").slots["what"] == "the proofs are ready"
    unknown = read(understanding, "tell fernwood pottery the proofs are ready")
    assert unknown.slots.get("client") != "fernwood"


def test_a_word_that_is_no_name_is_not_looked_up_as_one(understanding: Understanding) -> None:
    assert read(understanding, "who's late").intent != "who_is"
    assert read(understanding, "who's Acme").intent == "who_is"


def test_a_day_with_a_bare_hour_is_a_moment(understanding: Understanding) -> None:
    reading = read(understanding, "move Acme to Wednesday 11")

    assert reading.slots["when"] == "2026-11-25T11:00:00+01:00"
    assert any("11 read as 11:00" in sentence for sentence in reading.assumed)


def test_a_goal_without_its_unit_is_the_hour_that_is_meant(understanding: Understanding) -> None:
    assert read(understanding, "move Acme from 3pm to 4").slots["when"] == "2026-11-19T16:00:00+01:00"
    assert read(understanding, "lunch with Acme friday 1").slots["when"] == "2026-11-20T13:00:00+01:00"
    assert "when" not in read(understanding, "invoice Acme 12").slots


def test_a_question_mark_alone_is_a_call_for_help(understanding: Understanding) -> None:
    assert read(understanding, "?").intent == "help"


def test_the_same_words_without_the_no_are_done(understanding: Understanding) -> None:
    assert read(understanding, "invoice Acme 1,200").intent == "invoice"
    assert read(understanding, "don't forget to remind me tomorrow at 9 to call Bob").intent != "invoice"


def test_a_condition_is_a_question(understanding: Understanding) -> None:
    reading = read(understanding, "if Acme has not paid by Friday, send them a payment reminder")

    assert reading.intent == ""
    assert reading.doubt == "condition"
    assert read(understanding, "remind Acme to pay").intent == "remind_debtor"


@pytest.mark.parametrize(
    "text", ["what's the weather like", "tell me a joke", "asdf qwer", "book a flight to Lisbon", "ok", "🙂", "?" * 50]
)
def test_what_nobody_does_is_said_and_not_done(understanding: Understanding, text: str) -> None:
    reading = read(understanding, text)

    assert reading.intent == ""
    assert reading.ask


@pytest.mark.parametrize(
    "text", ["yes, that looks right, send it", "ok go ahead with it", "unsend that please", "take back what you did"]
)
def test_a_button_is_never_pressed_from_a_likeness(understanding: Understanding, text: str) -> None:
    reading = read(understanding, text)

    assert reading.intent not in EXACT


def test_an_exact_phrase_presses_the_button(understanding: Understanding) -> None:
    reading = read(understanding, "approve 12.1")

    assert (reading.intent, reading.slots) == ("approve", {"card": "12.1"})
    assert read(understanding, "reject 12.1 because the price is wrong").slots == {
        "card": "12.1", "reason": "the price is wrong",
    }  # fmt: skip


def test_a_button_under_a_question_is_understood_exactly(understanding: Understanding) -> None:
    reading = read(understanding, "yes go ahead with it please")
    assert reading.intent == ""
    assert 1 <= len(reading.choices) <= 3

    for choice in reading.choices:
        pressed = read(understanding, choice.text)
        assert pressed.tier == "command"


def test_a_long_text_is_material_and_not_an_order(understanding: Understanding) -> None:
    assert read(understanding, "invoice Acme 1,200 " + "x" * TEXT_MAX).intent == ""


def test_money_and_the_outside_world_need_more_than_a_likely_reading() -> None:
    assert NEEDED[Risk.MONEY] == NEEDED[Risk.OUTSIDE] == 0.80
    assert NEEDED[Risk.READS] < NEEDED[Risk.REVERSIBLE] < NEEDED[Risk.MONEY]


@pytest.mark.parametrize(("effect", "acts"), [(Risk.READS, True), (Risk.REVERSIBLE, False), (Risk.MONEY, False)])
def test_the_same_likeness_looks_something_up_and_changes_nothing(
    understanding: Understanding, monkeypatch: pytest.MonkeyPatch, effect: Risk, acts: object
) -> None:
    guess = understanding._router.guesses  # a reading at 72 percent, whatever the words
    from bot.reading.router import Guess

    assert guess
    monkeypatch.setattr(Router, "guess", lambda *_: Guess((("unpaid", 0.72), ("revenue", 0.2)), 0.01, 0.9, known=True))
    monkeypatch.setattr(understanding.intents["unpaid"], "effect", effect)

    reading = read(understanding, "tell the story of the sums")

    assert (reading.intent == "unpaid") is acts
    assert acts or [choice.label for choice in reading.choices]


def test_hostile_text_is_read_without_an_error(understanding: Understanding) -> None:
    for text in (
        "{client} {amount}",
        "/" * 100,
        "!\x00",
        "\u202einvoice Acme 5",
        "/invoice " + "9" * 500,
        "\ue000\ue001",
        "a" * 1999,
        "(" * 300,
        "invoice {0} %s",
    ):
        read(understanding, text)


@pytest.mark.parametrize(
    ("guard", "text"),
    [("is_negated", "don't invoice Acme 1,200"), ("is_conditional", "remind Acme to pay if they are late")],
)
def test_without_its_guard_the_same_words_would_act(
    understanding: Understanding, monkeypatch: pytest.MonkeyPatch, guard: str, text: str
) -> None:
    assert read(understanding, text).intent == ""

    monkeypatch.setattr(f"bot.intents.{guard}", lambda _: False)

    unguarded = read(understanding, text)
    assert unguarded.intent or unguarded.choices, (
        "the guard is what stops it, so without it something is offered or done"
    )


def test_without_the_list_of_exact_words_a_likeness_would_press(
    understanding: Understanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(understanding, "roll back what you just did").intent == ""

    monkeypatch.setattr("bot.intents.EXACT", frozenset())
    monkeypatch.setattr("bot.intents.NEEDED", dict.fromkeys(Risk, 0.0))

    assert read(understanding, "roll back what you just did").intent == "undo"


def test_without_the_thresholds_a_weak_reading_would_act(
    understanding: Understanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.reading.router import Guess

    monkeypatch.setattr(Router, "guess", lambda *_: Guess((("refund", 0.6), ("invoice", 0.3)), 0.01, 0.9, known=True))
    text = "do the thing with 2026-0001"
    assert read(understanding, text).intent == ""

    monkeypatch.setattr("bot.intents.NEEDED", dict.fromkeys(Risk, 0.0))

    assert read(understanding, text).intent == "refund"


# ── corrections ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_correction_is_taken_at_once_for_every_client_and_amount(cache: Path) -> None:
    kept: list[tuple[str, str]] = []
    house = Understanding.of(discover(), cache=cache, keep=lambda mask, intent: kept.append((mask, intent)))
    text = "do the usual for Acme, 300"
    before = read(house, text)
    assert before.tier != "phrasebook"

    house.learn(text, "invoice", CLIENTS)

    after = read(house, "do the usual for Globex, 450")
    assert (after.intent, after.tier) == ("invoice", "phrasebook")
    assert after.slots["amount"] == "450.00 EUR"
    reopened = Understanding.of(discover(), cache=cache, phrases=kept)
    assert read(reopened, "do the usual for Globex, 450").intent == "invoice"


def test_a_correction_to_an_unknown_intent_is_refused(understanding: Understanding) -> None:
    with pytest.raises(KeyError, match="no intent"):
        understanding.learn("x", "fly_to_the_moon")


def test_a_pressed_button_is_a_correction(cache: Path) -> None:
    house = Understanding.of(discover(), cache=cache)
    assert house.ready(LONG_S)
    text = "do the usual thing for Acme with 300 euros"
    asked = read(house, text)
    assert asked.choices
    pressed = next(choice.text for choice in asked.choices if not choice.text[1:].startswith(tuple(EXACT)))

    meant = read(house, pressed)
    assert meant.tier == "command"

    again = read(house, "do the usual thing for Globex with 450 euros")
    assert again.tier == "phrasebook"
    assert (again.intent or again.others[0].intent) == (meant.intent or meant.others[0].intent)


@pytest.mark.parametrize("text", ["don't bill Acme the usual", "if Acme is late, the usual nudge"])
def test_a_no_or_an_if_cannot_be_taught_to_be_done(understanding: Understanding, text: str) -> None:
    with pytest.raises(ValueError, match="cannot be taught"):
        understanding.learn(text, "remind_debtor")


def test_a_kept_phrase_that_would_press_a_button_presses_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes into the books by hand must not make an approval of small talk."""
    house = Understanding.of(discover(), cache=cache, phrases=[("mhm looks fine", "approve")])
    assert read(house, "mhm looks fine").intent == ""

    monkeypatch.setattr("bot.intents.EXACT", frozenset())
    assert read(house, "mhm looks fine").tier == "phrasebook"


def test_nothing_can_be_taught_to_press_a_button(understanding: Understanding) -> None:
    with pytest.raises(ValueError, match="only taken"):
        understanding.learn("looks fine", "approve")


async def test_a_first_message_waits_for_the_training_without_holding_up_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Understanding.ready, "__defaults__", (LONG_S,))  # however busy this machine is
    house = Understanding([Bill, Weather])

    reading = await house.understand("please bill Globex 90 euros for the last part", **SCENE)  # type: ignore[arg-type]

    assert (reading.intent or reading.others[0].intent) == "bill"


# ── a training that is kept ───────────────────────────────────────────────────────────────────────────────────────


class Bill(Intent):
    """Bill somebody."""

    effect: ClassVar[Risk] = Risk.MONEY
    examples: ClassVar[tuple[str, ...]] = tuple(f"bill Acme {n} euros for part {n}" for n in range(1, 13))
    patterns: ClassVar[tuple[str, ...]] = ("bill {client} {amount}",)
    asks: ClassVar[Mapping[str, str]] = {"client": "Whom?"}

    client: ClientName
    amount: Money | None = None
    every: Every | None = None


class Weather(Intent):
    """Say how the weather is."""

    examples: ClassVar[tuple[str, ...]] = tuple(
        f"how is the weather {when}" for when in ("today", "now", "outside", "there", "in town", "at home")
    )


def test_what_was_trained_is_loaded_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Understanding([Bill, Weather], cache=tmp_path)
    assert first.ready(LONG_S)
    assert len(list(tmp_path.glob("*.npz"))) == 1

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again although nothing changed")

    monkeypatch.setattr(Router, "train", refuse)
    again = Understanding([Bill, Weather], cache=tmp_path)
    assert again.ready(LONG_S)
    text = "please bill Globex for the last part"
    assert read(again, text) == read(first, text)


def test_a_torn_cache_is_trained_again(tmp_path: Path) -> None:
    assert Understanding([Bill, Weather], cache=tmp_path).ready(LONG_S)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:500])

    assert Understanding([Bill, Weather], cache=tmp_path).ready(LONG_S)


def test_a_changed_declaration_is_a_new_training_and_the_oldest_goes(tmp_path: Path) -> None:
    assert Understanding([Bill, Weather], cache=tmp_path).ready(LONG_S)
    (first,) = tmp_path.glob("*.npz")

    for more in range(1, TRAININGS_MAX + 1):
        assert Understanding([Bill, Weather, *CONTROL[:more]], cache=tmp_path).ready(LONG_S)

    assert len(list(tmp_path.glob("*.npz"))) == TRAININGS_MAX
    assert not first.exists()


def test_a_pattern_with_an_unknown_slot_is_an_error_that_names_it() -> None:
    class Odd(Weather):
        patterns: ClassVar[tuple[str, ...]] = ("weather in {town}",)

    with pytest.raises(ValueError, match="town"):
        Understanding([Odd])


# ── the end of the house in the middle of a training ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("closes", [True, False])
def test_a_training_stops_when_the_house_closes(tmp_path: Path, closes: object) -> None:
    house = Understanding([Bill, Weather], cache=tmp_path)
    gate = threading.Event()
    house._open_embedder = lambda: gate.wait(LONG_S) and None
    house.warm()
    if closes:
        house._closing.set()
    gate.set()
    house._training.join(LONG_S)  # type: ignore[union-attr]

    assert bool(list(tmp_path.glob("*.npz"))) is not closes
    assert house.ready(0.0) is not closes
    house.close()


ENDING = """
import sys, threading
from bot.intents import Understanding
from tests.bot.test_intents import Bill, Weather

if "deaf" in sys.argv:
    Understanding._is_closing = lambda _: False
Understanding([Bill, Weather], embedder=lambda: threading.main_thread().join()).warm()
"""


@pytest.mark.parametrize(("more", "silent"), [((), True), (("deaf",), False)])
def test_a_command_that_ends_while_the_classifier_is_trained_is_silent(more: tuple[str, ...], silent: object) -> None:
    """Its thread goes on when the main one is over, and most libraries can no longer be imported then."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, *more], capture_output=True, text=True, timeout=LONG_S, check=False
    )

    assert ended.returncode == 0
    assert (ended.stderr == "") is silent, ended.stderr


# ── a small model ─────────────────────────────────────────────────────────────────────────────────────────────────


SCENE = {"now": NOW, "zone": ZONE, "locale": "en_GB", "currency": "EUR", "clients": CLIENTS}


def answering(answer: object) -> tuple[list[str], object]:
    prompts: list[str] = []

    async def model(prompt: str, schema: type[BaseModel]) -> object:
        prompts.append(prompt)
        return answer

    return prompts, model


async def test_a_model_is_not_asked_where_words_are_enough(understanding: Understanding) -> None:
    prompts, model = answering(None)

    await understanding.understand("invoice Acme 1,200", model=model, **SCENE)  # type: ignore[arg-type]

    assert prompts == []


async def test_a_models_slot_counts_when_it_quotes_the_message(understanding: Understanding) -> None:
    text = "the usual thing to Acme again, 450 euros this time"
    prompts, model = answering({"intent": "invoice", "quotes": {"client": "Acme", "amount": "450 euros"}})
    assert read(understanding, text).doubt

    reading = await understanding.understand(text, model=model, **SCENE)  # type: ignore[arg-type]

    assert len(prompts) == 1
    assert (reading.intent, reading.tier) == ("invoice", "small")
    assert reading.slots["amount"] == "450.00 EUR"


async def test_what_a_model_made_up_is_rejected(understanding: Understanding) -> None:
    text = "the usual thing to Acme again, 450 euros this time"
    for invented in ({"amount": "4,500 euros"}, {"amount": "450 euros this time"}):
        _, model = answering({"intent": "invoice", "quotes": {"client": "Acme", **invented}})
        reading = await understanding.understand(text, model=model, **SCENE)  # type: ignore[arg-type]
        assert reading.slots.get("amount") in {None, "450.00 EUR"}


@pytest.mark.parametrize(
    "answer",
    [None, "invoice", {"intent": "approve"}, {"intent": "rm -rf"}, {"intent": ""}, {}, {"intent": ["invoice"]}],
)
async def test_a_model_can_neither_press_a_button_nor_invent_an_intent(
    understanding: Understanding, answer: object
) -> None:
    text = "the usual thing to Acme again, 450 euros this time"
    _, model = answering(answer)

    reading = await understanding.understand(text, model=model, **SCENE)  # type: ignore[arg-type]

    assert reading == read(understanding, text)


async def test_a_model_does_not_turn_a_condition_into_an_order(understanding: Understanding) -> None:
    text = "if Acme has not paid by Friday, send them a payment reminder"
    _, model = answering({"intent": "remind_debtor", "quotes": {"client": "Acme"}})

    assert (await understanding.understand(text, model=model, **SCENE)).intent == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "intent"),
    [
        ("invocie Acme 1200", "invoice"),
        ("scheudle the spring post for Friday", "schedule_post"),
        ("remmeber that Acme pays late", "remember"),
        ("digets", "digest"),
        ("refudn 2026-0001", "refund"),
        ("/invocie Acme 300", "invoice"),
        ("rejcet 2.1", "reject"),
    ],
)
def test_a_slip_of_the_finger_is_read_and_said(understanding: Understanding, typed: str, intent: str) -> None:
    reading = read(understanding, typed)

    assert reading.intent == intent
    assert "read as" in " ".join(reading.assumed)


def test_a_slip_presses_only_the_card_it_names(understanding: Understanding) -> None:
    assert read(understanding, "aprove 2.1").slots == read(understanding, "Aprove 2.1").slots == {"card": "2.1"}
    for typed in (
        "unapprove 2.1",
        "disapprove 2.1",
        "improve 2.1",
        "aprove it",
        "undoo",
        "/aprove 2.1",
        "/forgt Bob",
    ):
        assert not read(understanding, typed).intent, typed


def test_what_is_kept_or_told_stays_as_it_was_typed(understanding: Understanding) -> None:
    assert read(understanding, "remmeber that the propsal is teh blue one").slots == {
        "what": "the propsal is teh blue one"
    }


def test_a_slip_in_a_day_loses_no_day(understanding: Understanding) -> None:
    reading = read(understanding, "remind me wendesday to pay the rent")

    assert (reading.slots["what"], reading.slots["day"]) == ("pay the rent", "2026-11-25")
    assert "“wendesday” read as “wednesday”." in reading.assumed


def test_a_name_on_no_book_in_lower_case_is_a_name(understanding: Understanding) -> None:
    for typed in ("invoice bob 200", "invoice ecme 300", "bill zed 90"):
        assert read(understanding, typed).slots["client"] == typed.split()[1]
    assert not read(understanding, "charge phone 50").intent

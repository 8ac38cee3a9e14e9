"""Telegram as the operator meets it: the real library over the real protocol, against a double judged by aiogram."""

from __future__ import annotations

import asyncio
import io
import logging
import random
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from bot.channels.base import Button, Channel, Message, NotWrittenError, Row, UndeliverableError
from bot.channels.telegram import Telegram, Webhook, hearing
from bot.channels.telegram.doubts import Doubts
from bot.channels.telegram.webhook import HEADER
from connectors.base import Role
from memory.events import Attachment, Origin, Place
from tests.bot.channels.telegram.stage import CHAT, MAIL, NAUGHTY, SECRET, Stage, noise, settled, stage
from tests.counterparts.telegram import OPERATOR, STRANGER, Fault, Json, TelegramDouble
from tests.counterparts.telegram_ear import PaperPairing
from tests.held_up import HeldUp

both = pytest.mark.parametrize("mode", ["polling", "webhook"])
ANNA = 8002
CARDS = 20  # that come late in a storm, and go ahead
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def words(on: Stage, chat: int = OPERATOR) -> str:
    return "\n".join(on.telegram.texts(chat))


# ── hearing ───────────────────────────────────────────────────────────────────────────────────────────────────────


@both
async def test_what_the_operator_says_is_heard_with_who_and_where(mode: str) -> None:
    async with stage(
        mode, zone=ZoneInfo("Europe/Berlin"), commands=[("help", "What I can do"), ("Not-One", "x")]
    ) as on:
        assert isinstance(on.channel.name, str)
        channel: Channel = on.channel
        assert channel.home() == CHAT
        said = on.telegram.user_says("invoice Acme 1,200 for <March> & more")
        await on.quiet()
        (heard,) = on.ear.heard_all
        assert heard.text == "invoice Acme 1,200 for <March> & more"
        assert (heard.actor.platform, heard.actor.user, heard.actor.account) == ("telegram", "7001", "1000001")
        assert heard.actor.origin is Origin.OPERATOR
        assert heard.place == Place(channel="telegram", conversation="7001", message=str(said["message_id"]))
        assert on.telegram.commands == [{"command": "help", "description": "What I can do"}]


@both
async def test_nothing_is_confirmed_before_it_is_on_disk(mode: str) -> None:
    async with stage(mode) as on:
        on.ear.failures = 3
        on.telegram.user_says("first")
        on.telegram.user_says("second")
        await on.until(lambda: on.ear.calls == 3)
        assert on.telegram.confirmed == []
        await on.quiet()
        assert [heard.text for heard in on.ear.heard_all] == ["first", "second"]
        if mode == "webhook":
            assert [status for _, status in on.telegram.deliveries[:4]] == [503, 503, 503, 200]
        else:
            assert "cannot be written down" in on.announced[0]
            await on.until(lambda: not on.channel.problem)


@both
async def test_twin_confirming_before_writing_loses_the_message(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same story with the guard taken out: the failed write is taken for a success."""
    take = Telegram._take

    async def careless(self: Telegram, update: object) -> None:
        try:
            await take(self, update)  # type: ignore[arg-type]
        except NotWrittenError:
            return

    monkeypatch.setattr(Telegram, "_take", careless)
    async with stage(mode) as on:
        on.ear.failures = 1
        on.telegram.user_says("first")
        await on.quiet()
        assert on.ear.heard_all == [], "the twin should have lost it"


async def _replay(on: Stage, events: int, seed: int) -> tuple[list[str], list[str]]:
    """Send events, each 1 to 5 times, in bursts, with restarts in between; return what was to be heard and pressed."""
    dice = random.Random(seed)
    _, message = await on.asks(MAIL)
    said: list[str] = []
    pressed: list[str] = []
    done: list[Json] = []
    for number in range(events):
        if dice.random() < 0.1:
            query = on.telegram.user_presses(message, dice.choice(("Approve",)))
            pressed.append(query.id)
        else:
            on.telegram.user_says(f"message {number}")
            said.append(f"message {number}")
        update = on.telegram.sent_updates[-1]
        done.append(update)
        for _ in range(dice.randint(0, 4)):
            on.telegram.redeliver(dice.choice(done[-20:]) if dice.random() < 0.5 else update)
        if dice.random() < 0.02:
            on.ear.failures = dice.randint(1, 2)
        if dice.random() < 0.004:
            await on.restart()
        if len(on.telegram.pending) > 300:
            await on.quiet()
    await on.quiet()
    return said, pressed


@pytest.mark.parametrize(("mode", "events"), [("polling", 1400), ("webhook", 600)])
async def test_t4_however_often_it_is_delivered_it_is_heard_once(mode: str, events: int) -> None:
    async with stage(mode) as on:
        said, pressed = await _replay(on, events, seed=4)
        assert sorted(heard.text for heard in on.ear.heard_all) == sorted(said)
        assert sorted(press.event_id.split(".c")[1] for press in on.ear.pressed_all) == sorted(pressed)


async def test_a_restart_before_the_confirmation_hears_it_again_under_the_same_id() -> None:
    async with stage() as on:
        on.telegram.user_says("once")
        await on.until(lambda: on.ear.heard_all)
        calls = on.ear.calls
        on.telegram.redeliver()
        await on.restart()
        await on.until(lambda: on.ear.calls > calls)
        await on.quiet()
        assert [heard.text for heard in on.ear.heard_all] == ["once"]


async def test_an_update_number_that_starts_anew_is_still_heard() -> None:
    async with stage(poll_wait_s=0) as on:
        on.telegram.user_says("before the week of silence")
        await on.quiet()
        # The platform picks a random number after a week; the offset of before must not hide it.
        update = {**on.telegram.sent_updates[-1], "update_id": 7}
        update["message"] = {**update["message"], "message_id": 900, "text": "after it"}
        await on.until(lambda: "offset" not in on.telegram.calls[-1].params)
        on.telegram.sends_raw(update)
        await on.until(lambda: len(on.ear.heard_all) == 2)


@both
async def test_our_own_mistake_costs_one_message_and_not_the_listening(mode: str) -> None:
    async with stage(mode) as on:

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        on.ear.card_of, kept = broken, on.ear.card_of  # type: ignore[method-assign, assignment]
        first = on.telegram.user_says("a")
        await on.quiet()
        on.telegram.user_says("b", reply_to=first)
        await on.until(lambda: "Something went wrong" in words(on))
        on.ear.card_of = kept  # type: ignore[method-assign]
        on.telegram.user_says("c")
        await on.until(lambda: [heard.text for heard in on.ear.heard_all] == ["a", "c"])


async def test_commands_lose_the_name_of_the_bot_and_start_means_help() -> None:
    async with stage() as on:
        on.telegram.user_says(f"/stuck@{on.telegram.username} all")
        on.telegram.user_says("/start")
        await on.quiet()
        assert [heard.text for heard in on.ear.heard_all] == ["/stuck all", "/help"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 3}}, "cannot listen"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "only understand"),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "do not know what to do"),
    ],
)
async def test_what_it_cannot_take_gets_a_friendly_sentence(more: Json, sentence: str) -> None:
    async with stage() as on:
        on.telegram.user_says("", **more)
        await on.until(lambda: sentence in words(on))
        assert on.ear.heard_all == []


async def test_an_edited_message_is_not_heard_twice() -> None:
    async with stage() as on:
        said = on.telegram.user_says("send it to Anna")
        await on.quiet()
        on.telegram.user_edits(said, "send it to Mallory")
        await on.until(lambda: "first version" in words(on))
        assert [heard.text for heard in on.ear.heard_all] == ["send it to Anna"]


async def test_forwarded_words_are_material_and_never_an_order() -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Client", "date": 1}
    async with stage() as on:
        on.telegram.user_says("approve 12.1", forward_origin=origin)
        await on.quiet()
        (heard,) = on.ear.heard_all
        assert heard.text == ""
        assert [on.ear.file(file) for file in heard.files] == [b"approve 12.1"]


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@both
async def test_the_first_to_send_the_printed_code_is_the_operator(mode: str) -> None:
    async with stage(mode, paired=False) as on:
        await on.until(lambda: on.announced)
        code = on.announced[0].split("send ")[1].split(" ")[0]
        on.telegram.user_says("let me in", user=STRANGER)
        on.telegram.user_says("ABCD-EFGH", user=STRANGER)
        await on.until(lambda: "not paired" in words(on, STRANGER))
        assert on.channel.home() is None
        with pytest.raises(UndeliverableError, match="Nobody is paired"):
            await on.channel.say(Place(channel="telegram"), Message("1.m1", "hello"))
        on.telegram.user_says(f"/start {code}")
        await on.until(lambda: "Paired" in words(on))
        assert on.store.paired == (OPERATOR, OPERATOR)
        on.telegram.user_says(code, user=STRANGER)
        on.telegram.user_says("hello")
        await on.quiet()
        assert [heard.text for heard in on.ear.heard_all] == ["hello"]
        assert on.store.paired == (OPERATOR, OPERATOR)
        assert code not in words(on)


async def test_a_code_that_could_not_be_kept_is_still_good() -> None:
    async with stage(paired=False) as on:
        await on.until(lambda: on.announced)
        on.store.full = True
        on.telegram.user_says(on.announced[0].split("send ")[1].split(" ")[0])
        await on.until(lambda: on.channel.problem)
        assert on.telegram.confirmed == []
        on.store.full = False
        await on.until(lambda: "Paired" in words(on))


def _forgeries(on: Stage, message: Json) -> list[tuple[str, dict[str, object]]]:
    """Every kind of press that must not count: (name, arguments of user_presses)."""
    good = ".a:" + "a" * 32
    data = [
        "",
        "a",
        good + "x" * 40,
        "!a:" + "a" * 32,
        ".A:x",
        ".a:",
        ".a:\u202e",
        ".r9x:h",
        ".sz:h",
        ".s:h",
        "..a:h",
        "t:",
        "t: ",
    ]
    return [
        *(("stranger", {"user": STRANGER, "data": text}) for text in (good, "=r:h", "<:h", "t:approve all")),
        *(("altered", {"data": text}) for text in data),
        *(("noise", {"data": text[:30]}) for text in NAUGHTY if text and "\ud800" not in text),
    ]


async def _presses_that_counted(on: Stage) -> int:
    _, message = await on.asks(MAIL)
    for _, arguments in _forgeries(on, message):
        on.telegram.user_presses(message, **arguments)  # type: ignore[arg-type]
    user_message = on.telegram.user_says("mine")
    on.telegram.messages[OPERATOR, user_message["message_id"]]["reply_markup"] = message["reply_markup"]
    on.telegram.user_presses(user_message, "Approve")  # buttons on a message that is not the bot's
    bot_user = {"id": 55, "is_bot": True, "first_name": "Bot"}
    group = {"id": -100, "type": "group", "title": "Friends"}
    press = {"id": "1", "from": on.telegram.people[OPERATOR], "chat_instance": "4", "data": ".a:" + "a" * 32}
    for number, changed in enumerate(
        [
            {"message": {**message, "chat": group}},  # the operator, but where others look on
            {"from": bot_user, "message": message},
            {"inline_message_id": "77"},  # forwarded by way of an inline bot
            {"message": {**message, "chat": {**message["chat"], "id": STRANGER}}},
        ]
    ):
        on.telegram.sends_raw({"update_id": 90_000 + number, "callback_query": {**press, **changed}})
    await on.quiet()
    return len(on.ear.pressed_all) + len([heard for heard in on.ear.heard_all if heard.text != "mine"])


@both
async def test_t9_no_forged_press_ever_counts(mode: str) -> None:
    async with stage(mode) as on:
        assert await _presses_that_counted(on) == 0
        assert {what for _, what in on.refused} >= {"pressed a button", "sent a forged button"}
        _, message = await on.asks(MAIL)
        assert (await on.presses(message, "Approve"))["text"] == "Approved."
        assert [press.verb for press in on.ear.pressed_all] == ["approve"]


async def test_twin_without_the_identity_check_forged_presses_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        hearing.Hearing, "_actor", lambda self, user, _chat: self._person(user, Origin.OPERATOR) if user else None
    )
    async with stage() as on:
        assert await _presses_that_counted(on) > 0


async def test_t9_a_removed_delegate_is_out_at_the_next_press() -> None:
    delegates = {ANNA}
    async with stage(delegates=delegates) as on:
        on.telegram.person(ANNA, "Anna")
        on.ear.cards[MAIL.id] = MAIL
        ref = await on.channel.ask(Place(channel="telegram", conversation=str(ANNA)), MAIL)
        message = on.telegram.messages[ANNA, int(ref)]
        assert (await on.presses(message, "Approve", user=ANNA))["text"] == "Approved."
        assert on.ear.pressed_all[0].actor.origin is Origin.DELEGATE
        delegates.clear()
        assert (await on.presses(message, "Approve", user=ANNA)) == {"text": hearing.NOT_YOURS, "alert": True}
        assert len(on.ear.pressed_all) == 1
        with pytest.raises(UndeliverableError, match="neither the operator's nor a delegate's") as gone:
            await on.channel.settle(Place(channel="telegram", conversation=str(ANNA)), ref, settled())
        assert gone.value.forever


async def test_a_stranger_gets_one_neutral_sentence_and_the_operator_is_told_once() -> None:
    async with stage(told=False) as on:
        for _ in range(5):
            on.telegram.user_says("approve 12.1", user=STRANGER)
        await on.quiet()
        await on.until(lambda: "Mallory (Telegram id 666) wrote to the bot" in words(on))
        await on.until(lambda: on.telegram.texts(STRANGER))
        assert on.telegram.texts(STRANGER) == ["This bot is private."]
        assert len(on.telegram.texts()) == 1
        assert on.ear.calls == 0


async def test_a_group_is_not_a_place_to_talk() -> None:
    async with stage() as on:
        on.telegram.user_says("hello", chat={"id": -100, "type": "group", "title": "Friends"})
        await on.quiet()
        assert on.ear.calls == 0


# ── cards ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@both
async def test_a_card_is_shown_pressed_and_settled_in_place(mode: str) -> None:
    async with stage(mode) as on:
        ref, message = await on.asks(MAIL)
        assert on.telegram.labels(message) == ["Approve", "Reject", "Edit", "Snooze"]
        for fact in ("12.1", "anna@acme.example NEW", "invoice 2026-0001.pdf", "here is the invoice", "The agent says"):
            assert fact in message["text"]
        on.ear.answer = "Approved. It goes out in 30 seconds."
        assert await on.presses(message, "Approve") == {"text": on.ear.answer, "alert": False}
        press = on.ear.pressed_all[0]
        assert (press.verb, press.handle, press.actor.user) == ("approve", "a" * 32, "7001")
        for _ in range(2):
            await on.channel.settle(CHAT, ref, settled())
        now = on.telegram.transcript()[0]
        assert "✅ Ada approved this at 09:12." in now["text"]
        assert "anna@acme.example" in now["text"]
        assert on.telegram.labels(message) == []
        undo = replace(settled(), buttons=(Button("Undo", "undo", "u" * 32), Button("Approve", "approve", "x")))
        await on.channel.settle(CHAT, ref, undo)
        assert on.telegram.labels(message) == ["Undo"]


async def test_a_rejection_asks_for_the_reason_with_one_tap_also_after_a_restart() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        assert (await on.presses(message, "Reject"))["text"] == "Why?"
        await on.until(lambda: "Too early" in on.telegram.labels(message))
        assert on.telegram.labels(message) == ["Wrong recipient", "Wrong tone", "Too early", "No reason", "‹ Back"]
        await on.restart()
        await on.presses(message, "‹ Back")
        await on.until(lambda: "Approve" in on.telegram.labels(message))
        await on.presses(message, "Reject")
        await on.until(lambda: "Too early" in on.telegram.labels(message))
        await on.restart()
        await on.presses(message, "Too early")
        press = on.ear.pressed_all[0]
        assert (press.verb, press.handle, press.reason) == ("reject", "b" * 32, "Too early")


async def test_the_reason_is_found_when_telegram_no_longer_hands_out_the_message() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        await on.presses(message, data=".r1:" + "b" * 32, old=True)
        await on.presses(message, data=".r7:" + "b" * 32, old=True)
        assert [press.reason for press in on.ear.pressed_all] == ["Wrong tone", ""]


@pytest.mark.parametrize(
    ("label", "at"),
    [
        ("In an hour", datetime(2026, 11, 20, 11, 0, tzinfo=UTC)),
        ("This evening", datetime(2026, 11, 20, 17, 0, tzinfo=UTC)),
        ("Tomorrow morning", datetime(2026, 11, 21, 8, 0, tzinfo=UTC)),
        ("Monday morning", datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
    ],
)
async def test_snooze_offers_when_in_the_operators_own_hours(label: str, at: datetime) -> None:
    async with stage(zone=ZoneInfo("Europe/Berlin")) as on:
        _, message = await on.asks(MAIL)
        await on.presses(message, "Snooze")
        await on.until(lambda: label in on.telegram.labels(message))
        before = on.clock.now()
        await on.presses(message, label)
        press = on.ear.pressed_all[0]
        assert press.verb == "snooze"
        assert press.until is not None
        assert timedelta(0) <= press.until - at <= on.clock.now() - before + timedelta(minutes=1)


async def test_a_button_with_a_question_counts_at_the_second_press() -> None:
    approve = Button("Pay 9,000.00 EUR", "approve", "a" * 32, confirm="Pay 9,000.00 EUR to Acme?")
    async with stage() as on:
        _, message = await on.asks(replace(MAIL, buttons=(approve,)))
        assert await on.presses(message, "Pay 9,000.00 EUR") == {"text": "Pay 9,000.00 EUR to Acme?", "alert": True}
        assert on.ear.pressed_all == []
        await on.until(lambda: "Yes: Pay 9,000.00 EUR" in on.telegram.labels(message))
        await on.presses(message, "Yes: Pay 9,000.00 EUR")
        assert [press.verb for press in on.ear.pressed_all] == ["approve"]


async def test_a_late_press_is_told_the_truth_in_words() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        on.ear.refusal = "Anna approved this at 09:12."
        assert await on.presses(message, "Approve") == {"text": "Anna approved this at 09:12.", "alert": True}
        on.ear.cards[MAIL.id] = settled()
        assert (await on.presses(message, "Reject"))["text"] == "Ada approved this at 09:12."
        await on.until(lambda: on.telegram.labels(message) == [])


async def test_a_press_is_answered_at_once_when_writing_takes_long_and_the_sentence_follows() -> None:
    async with stage(patience_s=0.02) as on:
        _, message = await on.asks(MAIL)
        on.ear.gate = asyncio.Event()
        assert (await on.presses(message, "Approve"))["text"] == hearing.WORKING
        assert on.telegram.pending != []
        on.ear.gate.set()
        await on.until(lambda: "Approved." in words(on))
        await on.quiet()


async def test_a_press_that_telegram_no_longer_waits_for_counts_all_the_same() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        on.telegram.user_presses(message, "Approve", stale=True)
        await on.quiet()
        assert len(on.ear.pressed_all) == 1


async def test_a_press_waits_for_the_disk_and_is_answered_when_it_is_back() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        on.ear.failures = 4
        assert (await on.presses(message, "Approve"))["text"] == "Approved."
        assert len(on.ear.pressed_all) == 1


async def test_a_choice_types_its_words() -> None:
    buttons = (
        Button("Yes, Acme", "say", "", text="the client is Acme"),
        Button("Known to the house", "say", "s" * 32, text="something " * 20),
        Button("Too long", "say", "", text="long " * 20),
    )
    async with stage() as on:
        ref = await on.channel.say(CHAT, Message("1.m1", "Which client?", "question", buttons))
        message = on.telegram.messages[OPERATOR, int(ref)]
        assert on.telegram.labels(message) == ["Yes, Acme", "Known to the house"]
        assert "Or type: long long" in message["text"]
        await on.presses(message, "Yes, Acme")
        await on.presses(message, "Known to the house")
        assert [heard.text for heard in on.ear.heard_all] == ["the client is Acme"]
        assert [(press.verb, press.handle) for press in on.ear.pressed_all] == [("say", "s" * 32)]


async def test_a_reply_to_any_part_of_a_card_is_about_that_card_also_after_a_restart() -> None:
    long = replace(MAIL, body="A paragraph of this length.\n\n" * 400)
    async with stage() as on:
        ref, _ = await on.asks(long)
        assert ref.count(",") >= 2
        on.ear.shown.clear()  # whoever remembers only whole references
        await on.restart()
        for message in [on.telegram.messages[OPERATOR, int(part)] for part in ref.split(",")]:
            on.telegram.user_says("friendlier", reply_to=message)
        await on.quiet()
        assert {heard.reply_to for heard in on.ear.heard_all} == {"12.1"}
        ordinary = await on.channel.say(CHAT, Message("1.m1", "🗂 12.1 · not a card, only words like one"))
        on.telegram.user_says("hm", reply_to=on.telegram.messages[OPERATOR, int(ordinary)])
        on.telegram.user_says("hm", reply_to=on.telegram.user_says("🗂 12.1 · mine"))
        await on.quiet()
        assert {heard.reply_to for heard in on.ear.heard_all[-3:]} == {""}


async def test_edit_sends_the_draft_and_what_comes_back_is_the_edit() -> None:
    async with stage() as on:
        _, message = await on.asks(MAIL)
        assert "send it back" in (await on.presses(message, "Edit"))["text"]
        await on.until(lambda: len(on.telegram.shown()) == 2)
        draft = on.telegram.shown()[-1]
        own_words = draft["text"].split("\n\n", 1)[1]
        assert own_words.startswith("Subject: March retainer\nBody:\nDear Anna,")
        await on.restart()
        on.telegram.user_says(own_words, reply_to=draft)
        await on.until(lambda: "Nothing in it was changed" in words(on))
        on.telegram.user_says(own_words.replace("for March", "for April"), reply_to=draft)
        await on.until(lambda: on.ear.pressed_all)
        press = on.ear.pressed_all[0]
        assert (press.verb, press.handle) == ("edit", "c" * 32)
        assert press.edits == {"mail.send.body": MAIL.body.replace("for March", "for April")}
        on.telegram.user_says("make it friendlier", reply_to=draft)
        await on.quiet()
        assert on.ear.heard_all[-1].reply_to == "12.1"


async def test_a_draft_that_telegram_may_have_cut_is_no_edit() -> None:
    card = replace(MAIL, fields=(replace(MAIL.fields[1], value="Hello"),))
    async with stage() as on:
        _, message = await on.asks(card)
        await on.presses(message, "Edit")
        draft = await on.until(lambda: on.telegram.shown()[1:])
        on.telegram.user_says("word " * 810, reply_to=draft[0])
        await on.until(lambda: "as a .txt file" in words(on))
        assert (on.ear.pressed_all, on.ear.heard_all) == ([], [])


async def test_a_long_draft_goes_and_comes_back_as_a_file() -> None:
    body = "Line of a long letter.\n" * 400
    card = replace(MAIL, body=body, fields=(replace(MAIL.fields[1], value=body),))
    async with stage() as on:
        _, message = await on.asks(card)
        await on.presses(message, "Edit")
        draft = await on.until(lambda: next((m for m in on.telegram.shown() if "document" in m), None))
        content = on.telegram.files[draft["document"]["file_id"]].content
        assert content.decode() == body
        on.telegram.user_sends_document(content.replace(b"long", b"short"), "d.txt", "text/plain", reply_to=draft)
        await on.until(lambda: on.ear.pressed_all)
        assert on.ear.pressed_all[0].edits == {"mail.send.body": body.replace("long", "short").strip("\n")}


async def test_a_card_over_several_messages_is_settled_in_all_of_them() -> None:
    crowd = ", ".join(f"person{number}@acme.example" for number in range(400))
    card = replace(MAIL, rows=(Row("To", crowd, Role.RECIPIENTS, vital=True),), body="Hello\n" * 1500)
    async with stage() as on:
        ref, message = await on.asks(card)
        assert "Read the parts above first." in message["text"]
        assert all(f"person{number}@acme.example" in words(on) for number in range(400))
        await on.channel.settle(CHAT, ref, settled(card))
        assert "Ada approved this" in on.telegram.shown()[-1]["text"]
        on.telegram.remove(on.telegram.shown()[-1])
        with pytest.raises(UndeliverableError) as gone:
            await on.channel.settle(CHAT, ref, settled(card))
        assert gone.value.forever


async def test_a_card_that_says_less_once_it_is_settled_is_ended_in_its_last_message() -> None:
    async with stage() as on:
        ref, message = await on.asks(replace(MAIL, body="long\n" * 2000))
        assert "," in ref
        await on.channel.settle(CHAT, ref, replace(settled(), body="", rows=MAIL.rows[:1]))
        last = on.telegram.shown()[-1]["text"]
        assert "anna@acme.example" in last
        assert "✅ Ada approved this" in last
        assert on.telegram.labels(message) == []
        with pytest.raises(UndeliverableError, match="no reference"):
            await on.channel.settle(CHAT, "", settled())


async def test_a_copy_of_another_version_loses_its_buttons_and_says_so() -> None:
    async with stage() as on:
        ref, message = await on.asks(MAIL)
        with pytest.raises(UndeliverableError, match="show it again") as cannot:
            await on.channel.settle(CHAT, ref, replace(MAIL, body="long\n" * 2000))
        assert cannot.value.forever
        assert on.telegram.labels(message) == []


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_documents_and_pictures_come_in_with_their_words() -> None:
    async with stage() as on:
        on.telegram.user_sends_document(b"%PDF", "../../etc/contract\u202e.pdf", caption="file this under Acme")
        on.telegram.user_sends_photo(PNG * 3)
        await on.quiet()
        contract, photo = on.ear.heard_all
        assert contract.text == "file this under Acme"
        assert contract.files[0].name == "contract.pdf"
        assert on.ear.file(contract.files[0]) == b"%PDF"
        assert on.ear.file(photo.files[0]) == PNG * 3
        assert photo.files[0].media_type == "image/jpeg"


async def test_a_file_that_is_too_large_gets_a_clear_sentence_and_the_words_are_heard() -> None:
    async with stage() as on:
        on.telegram.user_sends_document(b"x", "film.mov", caption="keep this", size=35_000_000)
        await on.until(lambda: "film.mov has 35 MB" in words(on))
        await on.quiet()
        assert [(heard.text, heard.files) for heard in on.ear.heard_all] == [("keep this", ())]


async def test_a_download_that_breaks_is_tried_again_and_then_told() -> None:
    async with stage() as on:
        on.telegram.fault("download", "drop", times=2)
        on.telegram.user_sends_document(b"one", "one.pdf")
        await on.quiet()
        assert on.ear.file(on.ear.heard_all[0].files[0]) == b"one"
        on.telegram.fault("download", "502", times=3)
        on.telegram.user_sends_document(b"two", "two.pdf")
        await on.until(lambda: "could not fetch two.pdf" in words(on))


async def test_files_go_out_before_the_words_and_a_lost_one_is_named() -> None:
    async with stage() as on:
        picture = on.ear.keep(PNG, "digest.png", "image/png")
        broken = on.ear.keep(b"not a picture", "odd.png", "image/png")
        invoice = on.ear.keep(b"%PDF-1.7", "2026-0001.pdf", "application/pdf")
        lost = Attachment(name="lost.pdf", sha256="0" * 64, size=1)
        large = Attachment(name="film.mov", sha256="1" * 64, size=60_000_000)
        await on.channel.say(CHAT, Message("1.m1", "Here.", files=(picture, broken, invoice, lost, large)))
        shown = on.telegram.shown()
        assert ["photo" in m for m in shown] == [True, False, False, False]
        assert on.telegram.files[shown[2]["document"]["file_id"]].content == b"%PDF-1.7"
        assert "lost.pdf is not in the house" in shown[3]["text"]
        assert "film.mov has 60 MB" in shown[3]["text"]
        assert await on.channel.say(CHAT, Message("1.m2", "", files=(invoice,)))
        assert len(on.telegram.shown()) == 5


# ── T8, T12: what is seen ─────────────────────────────────────────────────────────────────────────────────────────


async def say_and_show_links(on: Stage, count: int = 100, seed: int = 12) -> None:
    """Say and show somebody else's links, mentions and commands in every place there is."""
    dice = random.Random(seed)
    for number in range(count):
        dirt = noise(dice)
        link = dice.choice(
            ("http://evil.example/?iban=DE02", "evil.example/x?d=1", "https://t.me/evil", "www.evil.example")
        )
        card = replace(
            MAIL, id=f"{number}.1", title=f"Reply {dirt[:40]}", body=f"{dirt}\n{link}", note=f"see {link}",
            rows=(*MAIL.rows, Row("Thread", f"{link} {dirt}"), Row("Link", link, vital=True)), warnings=(link,),
            sources=(link,), reasons=(link,), changes=(link,), footer=(link,),
        )  # fmt: skip
        ref = await on.channel.ask(CHAT, card)
        await on.channel.say(CHAT, Message(f"{number}.m", f"He writes: {link} and /approve_all {dirt}"))
        if number % 10 == 0:
            await on.channel.settle(CHAT, ref, replace(settled(card), outcome=f"Done {link}"))


def links(on: Stage) -> list[str]:
    found = []
    for message in on.telegram.shown():
        entities = message.get("entities", []) + message.get("caption_entities", [])
        found += [entity["type"] for entity in entities if entity["type"] in ("url", "text_link", "bot_command")]
    return found


async def test_t12_no_preview_is_ever_fetched_and_no_foreign_link_can_be_tapped() -> None:
    async with stage() as on:
        await say_and_show_links(on)
        calls = on.telegram.made("sendMessage") + on.telegram.made("editMessageText")
        assert len(calls) >= 200
        assert all(call["link_preview_options"] == {"is_disabled": True} for call in calls)
        assert links(on) == []


async def test_twin_without_the_taming_links_live(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.channels.telegram import cards, channel, spans

    def wild(text: str, **_: bool) -> spans.Block:
        return (spans.Span(text),)

    monkeypatch.setattr(cards, "tame", wild)
    monkeypatch.setattr(channel, "tame", wild)
    async with stage() as on:
        await say_and_show_links(on)
        assert links(on) != []


async def test_long_work_shows_progress_by_editing_its_message_also_after_a_restart() -> None:
    async with stage() as on:
        refs = [await on.channel.say(CHAT, Message("7.w", f"Step {n} of 3")) for n in (1, 2, 2)]
        assert len(set(refs)) == 1
        await on.restart()
        long = "\n".join(f"Line {number} of the answer." for number in range(400))
        ref = await on.channel.say(CHAT, Message("7.w", long, instead=refs[0]))
        assert ref.split(",")[0] == refs[0]
        assert "\n".join(on.telegram.texts()) == long


async def test_a_message_that_a_killed_process_was_sending_is_found_and_nothing_else_is_touched() -> None:
    async with stage() as on:
        asked = on.telegram.user_says("what is in the report?")
        await on.quiet()
        place = Place(channel="telegram", conversation=CHAT.conversation, message=str(asked["message_id"]))
        other = await on.channel.say(CHAT, Message("6.m1", "Something else."))
        ref = await on.channel.say(CHAT, Message("7.w", "Working on it…"))
        await on.restart()
        assert await on.channel.find(place, Message("7.w", "Working on it…"), frozenset({other})) == ref
        assert on.telegram.texts()[-2:] == ["Something else.", "Working on it…"]
        assert await on.channel.find(place, Message("7.w", "Working on it…"), frozenset({other, ref})) == ""
        assert await on.channel.find(CHAT, Message("7.w", "Working on it…"), frozenset()) == ""


async def test_an_answer_arrives_when_the_operator_deleted_what_it_was_to_replace() -> None:
    async with stage() as on:
        ref = await on.channel.say(CHAT, Message("7.w", "Working on it…"))
        on.telegram.remove(on.telegram.shown()[-1])
        file = on.ear.keep(b"%PDF-1.7", "report.pdf", "application/pdf")
        await on.channel.say(CHAT, Message("7.m1", "Done.", files=(file,), instead=ref))
        assert on.telegram.texts() == ["", "Done."]


async def test_long_words_are_split_well_and_read_the_same() -> None:
    text = "\n".join(f"{number}. A line with <tags> & an emoji 😀 in it." for number in range(400))
    async with stage() as on:
        await on.channel.say(CHAT, Message("1.m1", text))
        parts = on.telegram.texts()
        assert len(parts) >= 4
        assert "\n".join(parts) == text


# ── T13: malformed input ──────────────────────────────────────────────────────────────────────────────────────────


def _mangled(dice: random.Random, good: Json) -> object:
    """An update with something wrong somewhere."""
    junk = (None, True, -1, 2**70, 1.5, "", "x" * 300, [], [[]], {}, {"id": []}, "\u0000", *NAUGHTY[:6])
    if dice.random() < 0.1:
        return dice.choice(
            (None, 5, "update", [], [{}], {}, {"update_id": None}, {"update_id": "7"}, {"update_id": True})
        )

    def mangle(value: object, depth: int) -> object:
        if isinstance(value, dict) and depth < 4:
            changed = dict(value)
            for key in value:
                chance = dice.random()
                if chance < 0.12:
                    changed[key] = dice.choice(junk)
                elif chance < 0.18:
                    del changed[key]
                else:
                    changed[key] = mangle(value[key], depth + 1)
            if dice.random() < 0.2:
                changed[dice.choice(("voice", "sticker", "text", "via_bot", "entities", "photo", "new"))] = dice.choice(
                    junk
                )
            return changed
        return value

    return mangle(good, 0)


def _good_updates(telegram: TelegramDouble, message: Json) -> list[Json]:
    telegram.user_says("hello", reply_to=message)
    telegram.user_sends_document(b"x", "x.pdf", caption="c")
    telegram.user_presses(message, "Approve")
    telegram.user_says("", sticker={"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 1, "height": 1,
                                    "is_animated": False, "is_video": False})  # fmt: skip
    telegram.pending.clear()
    return telegram.sent_updates[-4:]


async def test_t13_malformed_updates_never_stop_the_polling() -> None:
    dice = random.Random(13)
    async with stage() as on:
        _, message = await on.asks(MAIL)
        good = _good_updates(on.telegram, message)
        logging.disable(logging.CRITICAL)
        try:
            for burst in range(15):
                for number in range(100):
                    update = _mangled(dice, dice.choice(good))
                    if isinstance(update, dict) and isinstance(update.get("update_id"), int) and dice.random() < 0.8:
                        update["update_id"] = 60_000 + burst * 100 + number
                    on.telegram.sends_raw(update)
                on.telegram.user_says(f"still there? {burst}")
                await on.until(lambda said=f"still there? {burst}": any(h.text == said for h in on.ear.heard_all))  # type: ignore[misc]
                on.telegram.pending.clear()  # what has no number can never be confirmed
        finally:
            logging.disable(logging.NOTSET)


async def test_t13_a_body_that_never_comes_is_let_go_within_a_second() -> None:
    async with stage("webhook") as on, HeldUp() as machine:
        assert on.webhook is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", on.webhook.port)
        with machine.within(1.0, "a body that never comes"):
            writer.write(
                f"POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{HEADER}: {SECRET}\r\n\r\n{{".encode()
            )
            assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_t13_malformed_posts_get_no_5xx_and_without_the_secret_always_401() -> None:
    dice = random.Random(13)
    async with stage("webhook") as on:
        assert on.webhook is not None
        _, message = await on.asks(MAIL)
        good = _good_updates(on.telegram, message)
        statuses: dict[str, set[int]] = {"known": set(), "unknown": set()}
        logging.disable(logging.CRITICAL)
        try:
            async with HeldUp() as machine, aiohttp.ClientSession() as client:
                for number in range(3500):
                    bad_secret = dice.choice(("", "x", SECRET[:-1], SECRET + "x", SECRET.upper(), "é"))
                    known = number % 7 != 0
                    headers = {HEADER: SECRET if known else bad_secret}
                    body: dict[str, object] = {"json": _mangled(dice, dice.choice(good))}
                    if dice.random() < 0.2:
                        body = {
                            "data": dice.choice(
                                (b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b'{"update_id":NaN}', b"a=b")
                            )
                        }
                    with machine.within(1.0, f"a post of {body}"):
                        async with client.post(on.webhook.address, headers=headers, **body) as answer:  # type: ignore[arg-type]
                            statuses["known" if known else "unknown"].add(answer.status)
                async with client.post(
                    on.webhook.address, data=io.BytesIO(b"x" * 1_200_000), headers={HEADER: SECRET}
                ) as answer:
                    assert answer.status == 413
                async with client.post(on.webhook.address, json=good[0]) as answer:
                    assert answer.status == 401
        finally:
            logging.disable(logging.NOTSET)
        assert statuses["unknown"] == {401}
        assert statuses["known"] <= {200, 400}
        on.telegram.user_says("still there?")
        await on.until(lambda: any(heard.text == "still there?" for heard in on.ear.heard_all))


async def test_t14_replayed_posts_count_once_and_a_changed_secret_holds_at_the_next_post() -> None:
    async with stage("webhook") as on, aiohttp.ClientSession() as client:
        assert on.webhook is not None
        _, message = await on.asks(MAIL)
        captured = []
        for number in range(50):
            on.telegram.user_says(f"message {number}")
            on.telegram.user_presses(message, "Approve")
            captured += on.telegram.sent_updates[-2:]
        await on.quiet()
        heard, pressed = len(on.ear.heard_all), len(on.ear.pressed_all)

        async def post(secret: str) -> set[int]:
            statuses = set()
            for update in captured:
                async with client.post(on.webhook.address, json=update, headers={HEADER: secret}) as answer:  # type: ignore[union-attr]
                    statuses.add(answer.status)
            return statuses

        assert await post(SECRET) == {200}
        assert (len(on.ear.heard_all), len(on.ear.pressed_all)) == (heard, pressed) == (50, 50)
        on.webhook = replace(on.webhook, secret="another-secret_0123456789")
        on.channel._webhook = on.webhook
        await on.stop()
        await on.start()
        await on.until(lambda: on.telegram.webhook["secret"] == "another-secret_0123456789")
        assert await post(SECRET) == {401}
        on.telegram.user_says("with the new one")
        await on.until(lambda: on.ear.heard_all[-1].text == "with the new one")


async def test_r5_nothing_is_taken_on_get() -> None:
    async with stage("webhook") as on, aiohttp.ClientSession() as client:
        assert on.webhook is not None
        async with client.get(on.webhook.address, headers={HEADER: SECRET}) as answer:
            assert answer.status == 405
        assert on.ear.heard_all == []


async def test_a_webhook_without_a_proper_secret_does_not_start() -> None:
    with pytest.raises(ValueError, match="secret"):
        Webhook("https://bot.example.com/telegram", "")
    with pytest.raises(ValueError, match="not an address"):
        Webhook("bot.example.com")
    made = Webhook("https://bot.example.com/telegram")
    assert len(made.secret) >= 32
    assert made.secret not in repr(made)


# ── T15: storms ───────────────────────────────────────────────────────────────────────────────────────────────────


def stormy(seed: int, *, after: bool = False) -> object:
    dice = random.Random(seed)

    def strike(method: str, _: Json) -> Fault | None:
        if method != "sendMessage" or dice.random() < 0.5:
            return None
        return (
            Fault("429", dice.randint(1, 5))
            if dice.random() < 0.9
            else Fault(dice.choice(("502", "drop")), after=after)
        )

    return strike


async def send_in_a_storm(on: Stage, count: int = 480) -> list[str]:
    """Send messages, and cards that come later; what could not be said is kept and said again, in order."""

    async def say(number: int) -> None:
        while True:
            try:
                await on.channel.say(CHAT, Message(f"{number}.m", f"message {number:03d}"))
            except UndeliverableError as later:
                await on.clock.sleep(later.retry_after_s or 1)
            else:
                return

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(say(number))
        await on.until(lambda: len(on.telegram.shown()) >= CARDS)
        for number in range(CARDS):
            group.create_task(on.channel.ask(CHAT, replace(MAIL, id=f"{number}.1")))
    return on.telegram.texts()


async def test_t15_in_a_storm_nothing_is_lost_or_doubled_and_order_is_kept() -> None:
    async with stage() as on:
        on.telegram.storm = stormy(15)  # type: ignore[assignment]
        shown = await send_in_a_storm(on)
        said = [text for text in shown if text.startswith("message")]
        assert said == [f"message {number:03d}" for number in range(480)]
        cards = [place for place, text in enumerate(shown) if text.startswith("🗂")]
        assert len(cards) == 20
        assert max(cards) < 60, "cards go ahead of the words that wait"


async def test_t15_an_answer_lost_after_the_commit_doubles_nothing() -> None:
    async with stage() as on:
        on.telegram.user_says("hello")
        await on.quiet()
        on.telegram.storm = stormy(16, after=True)  # type: ignore[assignment]
        shown = await send_in_a_storm(on)
        said = [text for text in shown if text.startswith("message")]
        assert said == [f"message {number:03d}" for number in range(480)]
        assert len([text for text in shown if text.startswith("🗂")]) == 20
        assert len(on.telegram.calls) > 900


async def test_twin_without_looking_a_lost_answer_doubles_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        return None

    monkeypatch.setattr(Doubts, "_look", never)
    async with stage() as on:
        on.telegram.user_says("hello")
        await on.quiet()
        on.telegram.storm = stormy(16, after=True)  # type: ignore[assignment]
        said = [text for text in await send_in_a_storm(on) if text.startswith("message")]
        assert len(said) > len(set(said)) == 480


async def test_a_lost_answer_is_found_among_what_others_wrote_and_changes_none_of_it() -> None:
    async with stage(delegates={STRANGER}) as on:
        first = int(await on.channel.say(CHAT, Message("1.m1", "first")))
        on.telegram.fault("sendMessage", "drop", after=True)
        on.telegram.user_says("written meanwhile")  # an id that no update has told us of yet
        on.telegram.user_says("somebody else's", user=STRANGER)
        second = int(await on.channel.say(CHAT, Message("1.m2", "second")))
        assert on.telegram.texts() == ["first", "second"]
        assert second == first + 3
        # A file whose answer was lost, and words that never arrived.
        file = on.ear.keep(b"%PDF-1.7", "invoice.pdf", "application/pdf")
        on.telegram.fault("sendDocument", "drop", after=True)
        on.telegram.fault("sendMessage", "drop")
        await on.channel.say(CHAT, Message("1.m3", "third", files=(file,)))
        assert on.telegram.texts() == ["first", "second", "", "third"]
        assert on.telegram.texts(STRANGER) == []
        await on.quiet()


async def test_a_doubt_is_remembered_when_the_platform_was_away_too_long() -> None:
    async with stage() as on:
        await on.channel.say(CHAT, Message("1.m1", "first"))
        on.telegram.fault("sendMessage", "drop", after=True)
        on.telegram.fault("editMessageText", "500", times=20)
        with pytest.raises(UndeliverableError):
            await on.channel.say(CHAT, Message("1.m2", "second"))
        on.telegram._faults.clear()
        await on.channel.say(CHAT, Message("1.m3", "a card may go before"))
        await on.channel.say(CHAT, Message("1.m2", "second"))
        assert on.telegram.texts() == ["first", "second", "a card may go before"]


async def test_a_long_pause_is_handed_back_with_its_length_and_holds_for_everybody() -> None:
    async with stage() as on:
        on.telegram.fault("sendMessage", "429", retry_after=900)
        with pytest.raises(UndeliverableError) as pause:
            await on.channel.say(CHAT, Message("1.m1", "one"))
        assert pause.value.retry_after_s == 900
        with pytest.raises(UndeliverableError) as still:
            await on.channel.ask(CHAT, MAIL)
        assert 890 < (still.value.retry_after_s or 0) <= 900
        on.clock.passes(901)
        await on.channel.say(CHAT, Message("1.m1", "one"))
        assert on.telegram.texts() == ["one"]


async def test_what_broke_off_in_the_middle_goes_on_where_it_stopped() -> None:
    text = "\n".join(f"{number:03d} {'word ' * 20}".strip() for number in range(150))
    async with stage() as on:
        sent = iter((None, None, Fault("429", 900)))
        on.telegram.storm = lambda method, _: next(sent, None) if method == "sendMessage" else None
        with pytest.raises(UndeliverableError):
            await on.channel.say(CHAT, Message("1.m1", text))
        on.clock.passes(901)
        ref = await on.channel.say(CHAT, Message("1.m1", text))
        assert len(ref.split(",")) == len(on.telegram.shown())
        assert "\n".join(on.telegram.texts()) == text


async def test_a_chat_that_is_gone_is_told_apart_from_one_that_is_blocked() -> None:
    async with stage() as on:
        on.telegram.block()
        with pytest.raises(UndeliverableError, match="Unblock") as blocked:
            await on.channel.say(CHAT, Message("1.m1", "hello"))
        assert not blocked.value.forever
        on.telegram.block(blocked=False)
        ref, _ = await on.asks(MAIL)
        del on.telegram.people[OPERATOR]
        with pytest.raises(UndeliverableError, match="press Start") as not_yet:
            await on.channel.say(CHAT, Message("1.m2", "hello"))
        assert not not_yet.value.forever, "a chat that was never opened can be"
        with pytest.raises(UndeliverableError) as gone:
            await on.channel.settle(CHAT, ref, settled())
        assert gone.value.forever, "and what stood in one that is gone is gone"


# ── away and back ─────────────────────────────────────────────────────────────────────────────────────────────────


@both
async def test_a_network_that_is_gone_for_an_hour_comes_back_by_itself(mode: str) -> None:
    async with stage(mode) as on:
        on.telegram.user_says("before")
        await on.quiet()
        await on.telegram.vanish()
        if mode == "webhook":
            await on.wake()
        await _naps(on, 3600)
        assert "cannot be reached" in on.channel.problem
        with pytest.raises(UndeliverableError):
            await on.channel.say(CHAT, Message("1.m1", "hello"))
        await on.telegram.appear()
        on.telegram.user_says("after")
        await on.until(lambda: [heard.text for heard in on.ear.heard_all] == ["before", "after"])
        await on.until(lambda: not on.channel.problem)
        assert await on.channel.say(CHAT, Message("1.m1", "hello"))


async def _naps(on: Stage, seconds: float) -> None:
    """Let the channel try and sleep until so much of its time has passed."""
    until_s = on.clock.elapsed_s() + seconds
    await on.until(lambda: on.clock.elapsed_s() >= until_s)


@both
async def test_a_revoked_token_is_said_clearly_and_a_restored_one_works_by_itself(mode: str) -> None:
    async with stage(mode) as on:
        on.telegram.revoke()
        if mode == "webhook":
            await on.wake()
        await _naps(on, 600)
        assert "@BotFather" in on.channel.problem
        assert len([sentence for sentence in on.announced if "BotFather" in sentence]) == 1
        assert on.clock.slept.count(60.0) >= 9, "slowly: once a minute"
        with pytest.raises(UndeliverableError, match="BotFather") as revoked:
            await on.channel.say(CHAT, Message("1.m1", "hello"))
        assert revoked.value.retry_after_s == 60
        on.telegram.revoke(revoked=False)
        on.telegram.user_says("back")
        await on.until(lambda: on.ear.heard_all)
        await on.until(lambda: not on.channel.problem)


async def test_somebody_else_who_polls_is_named_and_outlived() -> None:
    async with stage() as on, aiohttp.ClientSession() as client:
        await on.until(lambda: on.telegram.made("deleteWebhook"))
        async with client.post(f"{on.telegram.url}/bot{on.telegram.token}/getUpdates", data={"timeout": "0"}) as answer:
            assert answer.status == 200
        await on.until(lambda: any("Another program listens" in sentence for sentence in on.announced))
        on.telegram.user_says("hello")
        await on.until(lambda: on.ear.heard_all)


async def test_a_webhook_that_was_taken_away_is_set_again() -> None:
    async with stage("webhook") as on:
        on.telegram.webhook = {"url": ""}
        on.telegram.user_says("hello")
        await on.wake()
        await on.until(lambda: on.ear.heard_all)


async def test_the_same_channel_can_be_run_again() -> None:
    async with stage() as on:
        await on.stop()
        await on.start()
        on.telegram.user_says("hello")
        await on.until(lambda: on.ear.heard_all)
        assert await on.channel.say(CHAT, Message("1.m1", "hello"))


@pytest.mark.parametrize(
    "answer", ["5", '{"ok": true}', '{"ok": true, "result": 5}', "[]", "<html>", '{"ok": true, "result": [5]}']
)
async def test_a_gateway_that_answers_nonsense_is_waited_out(answer: str) -> None:
    async with stage() as on:
        on.telegram.nonsense = answer
        on.telegram.user_says("hello")
        await on.until(lambda: on.channel.problem)
        with pytest.raises(UndeliverableError):
            await on.channel.say(CHAT, Message("1.m1", "hello"))
        on.telegram.nonsense = ""
        await on.until(lambda: on.ear.heard_all)
        await on.until(lambda: not on.channel.problem)


async def test_a_clock_that_jumps_neither_stops_the_sending_nor_the_listening() -> None:
    async with stage() as on:
        for jump in (timedelta(days=3650), timedelta(days=-3650), timedelta(hours=-1)):
            on.clock.at += jump
            await on.channel.say(CHAT, Message(str(jump), f"jumped {jump}"))
            on.telegram.user_says(f"hello {jump}")
            await on.quiet()
        assert len(on.ear.heard_all) == 3
        assert sum(on.clock.slept) < 10


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_token_is_in_no_log_no_error_and_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with stage() as on:
        on.telegram.user_sends_document(b"x", "x.pdf")
        await on.quiet()
        faults = [("500", 5), ("drop", 5), ("429", 30)]
        for kind, times in faults:
            on.telegram.fault("sendMessage", kind, times=times, retry_after=3)
            try:
                await on.channel.say(CHAT, Message("1.m1", kind))
            except UndeliverableError:
                told.append(traceback.format_exc())
            on.telegram._faults.clear()
        for method in ("revoke", "vanish"):
            _ = on.telegram.revoke() if method == "revoke" else await on.telegram.vanish()
            try:
                await on.channel.say(CHAT, Message("1.m2", method))
            except UndeliverableError:
                told.append(traceback.format_exc())
            await _naps(on, 120)
        told += [*on.announced, on.channel.problem, repr(on.channel)]
        token = on.telegram.token
        assert "127.0.0.1" in caplog.text, "the library's own lines were captured"
        formatter = logging.Formatter()
        everything = [
            *told,
            *(formatter.format(record) for record in caplog.records if record.name != "aiohttp.access"),
        ]
        secret = token.partition(":")[2]
        assert not [line for line in everything if secret in line]


async def test_what_is_no_token_is_refused_at_once() -> None:
    for token in ("", "123", "12:ab cd", "12:ab/../x", "12:äb"):
        with pytest.raises(ValueError, match="BotFather"):
            Telegram(token, PaperPairing(), announce=print)

"""Slack over Socket Mode, with the real Bolt against a real workspace on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.channels.base import Button, Home, Message, UndeliverableError
from bot.channels.slack import Person, Slack
from bot.channels.slack.channel import HOME_TRIES_MAX
from memory.events import Origin, Place
from tests.bot.channels.slack_house import DELEGATE, OPERATOR, House, PaperStore, QuickClock, card, house
from tests.counterparts.slack import ALICE, APP_TOKEN, BOB, BOT, BOT_TOKEN, GENERAL, TEAM, LocalSlack, local_slack

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


async def place(home: House) -> Place:
    return Place(channel="slack", conversation=await home.slack.dm())


def texts(message: dict) -> str:
    return json.dumps(message.get("blocks"), ensure_ascii=False)


def actions(message: dict) -> list[dict]:
    return [
        element for block in message.get("blocks", ()) if block["type"] == "actions" for element in block["elements"]
    ]


async def press(home: House, message: dict, verb: str, user: str = ALICE, option: int | None = None) -> None:
    """Press what the page shows."""
    for block in message["blocks"]:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            if element["action_id"].partition(":")[0] == verb:
                action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
                if option is None:
                    action["value"] = element["value"]
                else:
                    action["selected_option"] = element["options"][option]
                await home.slack.control(
                    "interact", channel=message["channel"], messageTs=message["ts"], user=user, action=action
                )
                return
    raise AssertionError(verb)


async def quiet(home: House) -> None:
    """Let what comes after an acknowledgement finish."""
    async with asyncio.timeout(120):
        while tasks := home.channel._hearing.group._tasks:
            await asyncio.wait(set(tasks))


async def test_a_direct_message_is_heard_with_its_event_id_and_place(slack) -> None:
    async with house(slack) as home:
        dm = await slack.dm()
        await slack.control("message", channel=dm, user=ALICE, text="invoice Smith &amp; Co <mailto:a@b.test|a@b.test>")

        [said] = home.ear.said
        assert said.text == "invoice Smith & Co a@b.test"
        assert said.event_id.startswith("Ev")
        assert (said.actor.user, said.actor.account, said.actor.origin) == (ALICE, TEAM, Origin.OPERATOR)
        assert (said.place.conversation, said.place.thread) == (dm, "")


async def test_a_slash_command_is_heard_and_answered_in_private(slack) -> None:
    async with house(slack) as home:
        dm = await slack.dm()
        await slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text="stuck")
        await slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text="")

        assert [said.text for said in home.ear.said] == ["stuck", "help"]
        assert {said.place.conversation for said in home.ear.said} == {dm}
        assert [m.get("subtype") for m in await slack.messages(GENERAL)] == ["ephemeral", "ephemeral"]


async def test_a_mention_is_heard_once_and_answered_in_its_thread(slack) -> None:
    async with house(slack) as home:
        await slack.control("message", channel=GENERAL, user=ALICE, text=f"<@{BOT}> how is Acme?")

        [said] = home.ear.said
        assert said.text == "how is Acme?"
        assert said.place.thread == said.place.message != ""


async def test_talk_among_people_is_not_heard_but_a_command_in_a_thread_is(slack) -> None:
    async with house(slack) as home:
        await slack.control("message", channel=GENERAL, user=ALICE, text="lunch?")
        await slack.control("message", channel=GENERAL, user=ALICE, text="!!! look")
        await slack.control("message", channel=GENERAL, user=ALICE, text="!approve 12.1", thread_ts="1.000001")
        await slack.control("message", channel=GENERAL, user=BOB, text="!approve 12.1", thread_ts="1.000001")

        assert [(said.text, said.place.thread) for said in home.ear.said] == [("approve 12.1", "1.000001")]
        assert home.refusals == []


async def test_a_card_is_shown_whole_and_a_press_reaches_the_ear(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        ref = await home.channel.ask(there, card())
        [message] = await slack.messages(there.conversation)
        assert message["ts"] == ref
        for fact in ("billing@acme.test", "cfo@acme.test  ← NEW", "1200.00 EUR", "invoice-2026-0007.pdf"):
            assert fact in texts(message)

        await press(home, message, "approve")
        await quiet(home)

        [pressed] = home.ear.presses
        assert (pressed.verb, pressed.handle, pressed.place.message) == ("approve", "aGFuZGxlMTIzNDU2", ref)
        assert (await slack.messages(there.conversation))[-1]["text"] == "Approved."


async def test_rejecting_takes_one_tap_with_a_reason_and_one_without(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        there = await place(home)
        await home.channel.ask(there, card())
        [message] = await slack.messages(there.conversation)
        await press(home, message, "reject")
        await press(home, message, "reject-menu", option=2)
        await press(home, message, "snooze-menu", option=0)

        assert [(p.verb, p.reason, p.until is None) for p in home.ear.presses] == [
            ("reject", "", True),
            ("reject", "Wrong recipient", True),
            ("snooze", "", False),
        ]


async def test_a_draft_is_edited_in_a_form_and_only_what_changed_counts(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        home.ear.answer = "A new draft follows."
        there = await place(home)
        await home.channel.ask(there, card())
        [message] = await slack.messages(there.conversation)
        async with slack.window() as window:
            await press(home, message, "edit")
            view = await window.until("view", lambda event: bool(event.get("view") or event.get("stack")))
            shown = view.get("view") or view["stack"][-1]
            assert "Kind regards" not in json.dumps(shown)
            assert "our invoice for March." in json.dumps(shown)
            value = {"type": "plain_text_input", "value": "Dear Acme,\n\nshorter."}
            same = {"type": "plain_text_input", "value": "Invoice 2026-0007"}
            to = {"type": "plain_text_input", "value": "billing@acme.test, cfo@acme.test"}
            await window.send(
                t="view_submit",
                user=ALICE,
                values={
                    "edit:0.body": {"value": value},
                    "edit:0.subject": {"value": same},
                    "edit:0.to": {"value": to},
                },
            )
            await home.ear.until(lambda: bool(home.ear.presses))

        [pressed] = home.ear.presses
        assert (pressed.verb, pressed.edits) == ("edit", {"0.body": "Dear Acme,\n\nshorter."})
        assert (pressed.handle, pressed.place.message) == ("aGFuZGxlMTIzNDU2", message["ts"])


async def test_a_reply_in_the_thread_of_a_card_is_an_edit_of_it(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        ref = await home.channel.ask(there, card())
        home.ear.shown[ref] = "12.1"
        await slack.control("message", channel=there.conversation, user=ALICE, text="make it 1,100", thread_ts=ref)

        [said] = home.ear.said
        assert (said.text, said.reply_to, said.place.thread) == ("make it 1,100", "12.1", ref)


async def test_a_settled_card_says_so_in_every_copy_and_twice_changes_nothing(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        ref = await home.channel.ask(there, card())
        done = card(state="approved", buttons=(), outcome="Approved by you today 09:12. Sent.", footer=())
        await home.channel.settle(there, ref, done)
        [first] = await slack.messages(there.conversation)
        await home.channel.settle(there, ref, done)
        [second] = await slack.messages(there.conversation)

        assert actions(first) == []
        assert "Approved by you today 09:12. Sent." in texts(first)
        assert first["blocks"] == second["blocks"]


async def test_a_copy_that_is_gone_is_said_to_be_gone_for_good(slack) -> None:
    async with house(slack) as home:
        with pytest.raises(UndeliverableError) as gone:
            await home.channel.settle(await place(home), "1.000001", card())
        assert gone.value.forever


async def test_a_card_too_long_for_one_message_has_its_buttons_under_the_last(slack) -> None:
    rows = tuple(replace(card().rows[0], value=f"person{n}@{'x' * 150}.test") for n in range(120))
    async with house(slack) as home:
        there = await place(home)
        ref = await home.channel.ask(there, card(rows=rows))
        messages = await slack.messages(there.conversation)

        assert len(messages) > 1
        assert [bool(actions(message)) for message in messages] == [False] * (len(messages) - 1) + [True]
        home.ear.shown[ref] = "12.1"
        await slack.control(
            "message", channel=there.conversation, user=ALICE, text="fewer", thread_ts=messages[-1]["ts"]
        )
        assert [said.reply_to for said in home.ear.said] == ["12.1"]
        assert ref.split(",") == [messages[-1]["ts"], *(message["ts"] for message in messages[:-1])]
        whole = "".join(texts(message) for message in messages).replace("\\n", "")
        assert all(row.value in whole for row in rows)

        await home.channel.settle(there, ref, card(rows=rows, state="denied", buttons=(), outcome="Rejected."))
        assert "Rejected." in "".join(texts(message) for message in await slack.messages(there.conversation))


async def test_a_long_text_stands_whole_in_the_thread_before_there_are_buttons(slack) -> None:
    body = "\n".join(f"Line {n}: {'words ' * 20}" for n in range(200))
    async with house(slack) as home:
        there = await place(home)
        await home.channel.ask(there, card(body=body))
        main, *below = await slack.messages(there.conversation)

        assert all(message["thread_ts"] == main["ts"] for message in below)
        read = "".join(
            block["text"]["text"] for message in below for block in message["blocks"] if block["type"] == "section"
        )
        assert read == body
        assert actions(main)
        order = [(call["summary"], call.get("detail") or {}) for call in await slack.log() if call["kind"] == "web_api"]
        calls = [(name, "actions" in json.dumps(args)) for name, args in order if name.startswith("chat.")]
        assert calls == [("chat.postMessage", False)] * (1 + len(below)) + [("chat.update", True)]


async def test_a_huge_text_goes_into_the_thread_as_a_file(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        await home.channel.ask(there, card(body="x" * 200_000))
        main, below = await slack.messages(there.conversation)
        assert below["files"][0]["size"] == 200_000
        assert below["thread_ts"] == main["ts"]
        assert actions(main)


async def test_long_work_shows_progress_by_editing_its_message(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        refs = [await home.channel.say(there, Message("7.m1", f"Step {n} of 3")) for n in (1, 2, 2, 3)]
        assert len(set(refs)) == 1
        [message] = await slack.messages(there.conversation)
        assert "Step 3 of 3" in texts(message)


async def test_progress_is_replaced_by_its_answer_after_a_restart_and_after_somebody_deleted_it(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        ref = await home.channel.say(there, Message("7.w", "Working on it…"))
        again = Slack(BOT_TOKEN, app_token=APP_TOKEN, base_url=home.edge.api, clock=QuickClock())
        await again.say(there, Message("7.m2", "The answer.", instead=ref))
        [message] = await slack.messages(there.conversation)
        assert (message["ts"], message["text"]) == (ref, "The answer.")
        home.edge.fault = lambda method, _: "error:message_not_found" if method == "chat.update" else ""
        await again.say(there, Message("8.m2", "The other answer.", instead=ref))
        assert [message["text"] for message in await slack.messages(there.conversation)] == [
            "The answer.", "The other answer."
        ]  # fmt: skip
        await again.close()


async def test_a_message_that_a_killed_process_was_posting_is_found_by_its_mark(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        await home.channel.say(there, Message("70.w", "Something else."))
        ref = await home.channel.say(there, Message("7.w", "Working on it…"))
        again = Slack(BOT_TOKEN, app_token=APP_TOKEN, base_url=home.edge.api, clock=QuickClock())
        assert await again.find(there, Message("7.w", ""), frozenset()) == ref
        assert await again.find(there, Message("8.w", ""), frozenset()) == ""
        await again.close()


async def test_files_go_both_ways(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        pdf = home.ear.keep(b"%PDF-1.7 paper", "invoice.pdf", "application/pdf")
        await home.channel.say(there, Message("7.m1", "Here it is.", files=(pdf,)))
        assert (await slack.messages(there.conversation))[-1]["files"][0]["name"] == "invoice.pdf"

        await slack.upload(there.conversation, ALICE, "remember this", "terms.txt", b"net 14")
        await home.ear.until(lambda: bool(home.ear.said))
        [said] = home.ear.said
        assert said.text == "remember this"
        assert [home.ear.kept[file.sha256] for file in said.files] == [b"net 14"]


async def test_a_file_elsewhere_is_not_fetched_with_our_token(slack) -> None:
    async with house(slack) as home:
        dm = await slack.dm()
        event = {
            "type": "message", "subtype": "file_share", "channel": dm, "channel_type": "im", "user": ALICE, "text": "see",
            "ts": "5.000001", "files": [{"id": "F1", "name": "x.pdf", "url_private": "https://evil.test/x.pdf", "size": 3}],
        }  # fmt: skip
        await home.edge.envelope("events_api", _event("Ev77", event), "e1")
        await home.edge.ack("e1")
        await quiet(home)
        assert [(said.text, said.files) for said in home.ear.said] == [("see", ())]
        assert "does not lie at Slack" in (await slack.messages(dm))[-1]["text"]


async def test_app_home_is_the_single_pane_and_its_buttons_count(slack) -> None:
    shown = Home(waiting=(card(body="Short."),), stuck=("9.1 mail to Beta",), money=("Open: 1,200.00 EUR",))
    async with house(slack, home_view=lambda: shown) as home, slack.window() as window:
        await slack.control("open-home", user=ALICE)
        view = (await window.until("home"))["view"]
        laid = json.dumps(view, ensure_ascii=False)
        for words in ("Waiting for you: 1", "billing@acme.test", "9.1 mail to Beta", "Open: 1,200.00 EUR"):
            assert words in laid
        block = next(block for block in view["blocks"] if block["type"] == "actions")
        payload = {
            "type": "block_actions", "user": {"id": ALICE, "team_id": TEAM}, "team": {"id": TEAM}, "trigger_id": "t.1",
            "container": {"type": "view"}, "view": {"type": "home"},
            "actions": [{**block["elements"][0], "block_id": block["block_id"], "action_ts": "1.1"}],
        }  # fmt: skip
        await home.edge.envelope("interactive", payload, "e9")
        await home.edge.ack("e9")
        assert [p.verb for p in home.ear.presses] == ["approve"]
        again = (await window.until("home", lambda event: "Approved." in json.dumps(event)))["view"]
        assert "Approved." in json.dumps(again)


async def test_app_home_follows_what_happens_without_being_opened_again(slack) -> None:
    waiting = [card(body="Short.")]
    async with (
        house(slack, home_view=lambda: Home(waiting=tuple(waiting), money=("Open: 5",))) as home,
        slack.window() as window,
    ):
        await slack.control("open-home", user=ALICE)
        assert "Waiting for you: 1" in json.dumps(await window.until("home"))
        there = await place(home)
        waiting.clear()
        await home.channel.say(there, Message("1.m1", "Something happened."))
        await window.until("home", lambda event: "Nothing waits for you." in json.dumps(event))


async def test_what_happens_at_once_draws_app_home_once(slack) -> None:
    money = ["Open: 5"]
    async with house(slack, home_view=lambda: Home(money=tuple(money))) as home, slack.window() as window:
        await slack.control("open-home", user=ALICE)
        await window.until("home")
        await quiet(home)
        drawn = home.edge.calls.count("views.publish")
        for number in range(20):
            money[0] = f"Open: {number}"
            home.channel.home_is_old()
        await quiet(home)
        assert home.edge.calls.count("views.publish") - drawn == 1


async def test_app_home_is_renewed_at_the_start_and_not_drawn_again_as_it_is(slack) -> None:
    async with house(slack, home_view=lambda: Home(money=("Open: 5",))) as home:
        await home.edge.asked("views.publish", 1)
        for number in range(3):
            await home.channel.say(await place(home), Message(f"1.m{number}", "hello"))
            await quiet(home)
        assert home.edge.calls.count("views.publish") == 1


async def test_app_home_that_slack_did_not_take_is_shown_later_and_not_tried_for_ever(slack) -> None:
    async with house(slack, home_view=lambda: Home(money=("Open: 5",))) as home, slack.window() as window:
        await quiet(home)
        faults = iter(["429", "drop", "503"])
        home.edge.fault = lambda method, _: next(faults, "") if method == "views.publish" else ""
        home.channel._hearing._at_home_now.clear()
        home.channel.home_is_old()
        await window.until("home")
        await quiet(home)
        home.edge.fault = lambda method, _: "drop" if method == "views.publish" else ""
        home.channel._hearing._at_home_now.clear()
        tried = home.edge.tried.count("views.publish")
        home.channel.home_is_old()
        await quiet(home)
        assert home.edge.tried.count("views.publish") - tried == HOME_TRIES_MAX


async def test_nobody_is_paired_so_no_app_home_is_drawn(slack) -> None:
    async with house(slack, people=()) as home:
        home.channel.home_is_old()
        await quiet(home)
        assert "views.publish" not in home.edge.calls


async def test_strangers_see_no_fact_in_app_home(slack) -> None:
    async with house(slack, home_view=lambda: Home(money=("Open: 1 EUR",))), slack.window() as window:
        await slack.control("open-home", user=BOB)
        laid = json.dumps((await window.until("home"))["view"])
        assert "answers only to its operator" in laid
        assert "Open: 1 EUR" not in laid


# ── who counts ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_configuration_refuses_everybody_and_says_how_to_pair(slack) -> None:
    async with house(slack, people=()) as home:
        dm = await slack.dm()
        await slack.control("message", channel=dm, user=ALICE, text="approve 12.1")
        await quiet(home)
        assert home.ear.said == []
        assert "/solo pair CODE" in (await slack.messages(dm))[-1]["text"]
        assert [refusal.what for refusal in home.refusals] == ["a message"]


async def test_the_first_to_know_the_code_becomes_the_operator_and_the_code_dies(slack) -> None:
    store = PaperStore()
    async with house(slack, people=(), store=store, pairing_code="K7QX-2M9P") as home:
        assert home.channel.home() is None
        for user, text in ((BOB, "pair wrong"), (ALICE, "pair K7QX-2M9P"), (BOB, "pair K7QX-2M9P")):
            await slack.control("command", channel=GENERAL, user=user, command="/solo", text=text)
        said = [message["text"] for message in await slack.messages(GENERAL)]
        assert [text.split(":")[0] for text in said] == [
            "That is not the code. It stands on the terminal where Soloist started.",
            "Paired",
            "This Soloist has its operator already. Somebody new is named in its settings.",
        ]
        assert store.people == [Person(TEAM, ALICE)]
        assert home.channel.home() == Place(channel="slack", conversation=await slack.dm())
        await slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text="stuck")
        assert [said.text for said in home.ear.said] == ["stuck"]
        assert all("K7QX" not in said.text for said in home.ear.said)


async def test_the_operator_may_say_pair(slack) -> None:
    async with house(slack, store=PaperStore(), pairing_code="K7QX-2M9P") as home:
        await slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text="pair Acme with project X")
        assert [said.text for said in home.ear.said] == ["pair Acme with project X"]


async def test_a_code_that_is_guessed_at_dies(slack) -> None:
    store = PaperStore()
    async with house(slack, people=(), store=store, pairing_code="K7QX-2M9P"):
        for _ in range(5):
            await slack.control("command", channel=GENERAL, user=BOB, command="/solo", text="pair guess")
        await slack.control("command", channel=GENERAL, user=BOB, command="/solo", text="pair K7QX-2M9P")
        assert store.people == []


async def test_a_pairing_that_is_not_kept_is_not_acknowledged(slack) -> None:
    store = PaperStore(full=True)
    async with house(slack, people=(), store=store, pairing_code="K7QX-2M9P") as home:
        body = {"team_id": TEAM, "user_id": ALICE, "channel_id": GENERAL, "command": "/solo", "text": "pair K7QX-2M9P"}
        await home.edge.envelope("slash_commands", body, "e1")
        with pytest.raises(TimeoutError):
            await home.edge.ack("e1", 0.3)
        store.full = False
        await home.edge.envelope("slash_commands", body, "e2")
        assert "Paired" in (await home.edge.ack("e2"))["text"]


FORGERIES = (
    "foreign user",
    "foreign team",
    "nobody",
    "bot",
    "another app's message",
    "altered handle",
    "removed delegate",
)


def forged(kind: str, number: int) -> dict:
    """Return a press that must not count."""
    payload = {
        "type": "block_actions", "api_app_id": "A01APP", "team": {"id": TEAM}, "trigger_id": f"t.{number}",
        "user": {"id": ALICE, "team_id": TEAM}, "channel": {"id": GENERAL},
        "container": {"type": "message", "message_ts": "5.000001", "channel_id": GENERAL},
        "message": {"ts": "5.000001", "app_id": "A01APP"},
        "actions": [{"type": "button", "action_id": "approve:0", "block_id": "card:12.1:1", "value": "good", "action_ts": f"{number}"}],
    }  # fmt: skip
    changes = {
        "foreign user": {"user": {"id": f"U9{number}", "team_id": TEAM}},
        "foreign team": {"user": {"id": ALICE, "team_id": f"T9{number}"}},
        "nobody": {"user": {}},
        "bot": {"user": {"id": f"B0{number}", "team_id": TEAM, "is_bot": True}},
        "another app's message": {"message": {"ts": "5.000001", "app_id": "A99"}},
        "altered handle": {"actions": [{**payload["actions"][0], "value": f"good{number}"}]},
        "removed delegate": {"user": {"id": BOB, "team_id": TEAM}},
        "genuine": {},
    }
    return payload | changes[kind]


async def storm_of_forgeries(home: House, store: PaperStore) -> None:
    """Send every kind forty times, and one genuine press between them."""
    home.ear.handles = {"good"}
    store.people.append(DELEGATE)
    assert home.channel.people.find(TEAM, BOB)
    store.people.clear()
    numbers = range(40)
    for kind in FORGERIES:
        for number in numbers:
            await home.edge.envelope("interactive", forged(kind, number), f"{kind} {number}")
    await home.edge.envelope("interactive", forged("genuine", 1), "genuine")
    for kind in FORGERIES:
        for number in numbers:
            await home.edge.ack(f"{kind} {number}")
    await home.edge.ack("genuine")


async def test_no_forged_press_counts_t9(slack) -> None:
    store = PaperStore()
    async with house(slack, store=store) as home:
        await storm_of_forgeries(home, store)
        assert [(p.actor.user, p.handle) for p in home.ear.presses] == [(ALICE, "good")]
        told = {(refusal.actor.account, refusal.actor.user) for refusal in home.refusals}
        assert {(TEAM, "U90"), ("T90", ALICE), (TEAM, BOB)} <= told


async def test_without_the_check_forged_presses_would_count_t9_twin(slack, monkeypatch) -> None:
    store = PaperStore()
    async with house(slack, store=store) as home:
        monkeypatch.setattr(home.channel.people, "find", lambda team, user: OPERATOR)
        await storm_of_forgeries(home, store)
        assert len(home.ear.presses) > 1


async def test_other_bots_are_refused_without_an_answer(slack) -> None:
    async with house(slack) as home:
        event = {
            "type": "app_mention",
            "channel": GENERAL,
            "user": "U9BOT",
            "bot_id": "B9",
            "text": f"<@{BOT}> approve 12.1",
            "ts": "5.1",
        }
        for number in range(5):
            await home.edge.envelope("events_api", _event(f"Ev{number}", event), f"e{number}")
            await home.edge.ack(f"e{number}")
        await quiet(home)
        assert home.ear.said == []
        assert len(home.refusals) == 1  # told once, not five times
        assert await slack.messages(GENERAL) == []


# ── durable before acknowledged ───────────────────────────────────────────────────────────────────────────────────


def _event(event_id: str, event: dict) -> dict:
    return {"type": "event_callback", "team_id": TEAM, "api_app_id": "A01APP", "event_id": event_id, "event": event}


def _dm(event_id: str, text: str = "hello") -> dict:
    return _event(
        event_id,
        {
            "type": "message",
            "channel": "D1",
            "channel_type": "im",
            "user": ALICE,
            "text": text,
            "ts": "5.000001",
            "team": TEAM,
        },
    )


async def test_nothing_is_acknowledged_before_it_is_on_disk(slack) -> None:
    async with house(slack) as home:
        home.ear.full = lambda: True
        await home.edge.envelope("events_api", _dm("Ev1"), "first")
        with pytest.raises(TimeoutError):
            await home.edge.ack("first", 0.3)
        home.ear.full = lambda: False
        await home.edge.envelope("events_api", _dm("Ev1"), "again")
        await home.edge.ack("again")
        assert [said.event_id for said in home.ear.said] == ["Ev1"]


async def test_duplicates_over_new_envelopes_and_connections_count_once_t4(slack) -> None:
    """600 events, one to five copies each, each in its own envelope, over three connections."""
    async with house(slack) as home:
        sent = 0
        for turn in range(3):
            for number in range(turn * 200, turn * 200 + 200):
                for copy in range(1 + number % 5):
                    await home.edge.envelope(
                        "events_api", _dm(f"Ev{max(0, number - (copy == 4) * 150)}"), f"{number}/{copy}"
                    )
                    sent += 1
            async with asyncio.timeout(120), home.edge.acked:
                await home.edge.acked.wait_for(lambda sent=sent: len(home.edge.acks) >= sent)
            if turn < 2:
                await home.edge.hang_up()
                await home.edge.connected()
        once = sorted({said.event_id for said in home.ear.said})
        assert len(once) == len(home.ear.said)
        assert set(once) == {f"Ev{number}" for number in range(600)}
        assert home.ear.calls == sent


async def test_a_broken_connection_comes_back_and_misses_nothing_that_is_sent_again(slack) -> None:
    async with house(slack) as home:
        await home.edge.hang_up()
        await home.edge.connected()
        await home.edge.envelope("events_api", _dm("Ev1"), "e1")
        await home.edge.ack("e1")
        assert len(home.ear.said) == 1


async def test_slacks_regular_refresh_of_the_connection_is_followed(slack) -> None:
    async with house(slack) as home:
        await next(iter(home.edge._sockets)).send_str(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
        await home.edge.asked("socket", 2)
        await home.edge.envelope("events_api", _dm("Ev1"), "e1")
        await home.edge.ack("e1")
        assert len(home.ear.said) == 1


async def test_a_network_that_is_gone_for_a_while_comes_back_by_itself(slack) -> None:
    async with house(slack, ping_s=0.3) as home:
        home.edge.down = True
        await home.edge.hang_up()
        await home.edge.asked("apps.connections.open", 3)
        assert "No answer from Slack" in home.channel.trouble
        home.edge.down = False
        await home.edge.connected()
        assert home.channel.trouble == ""
        await _sent_until_it_is_acknowledged(home, "Ev1")
        assert [said.event_id for said in home.ear.said] == ["Ev1"]


async def _sent_until_it_is_acknowledged(home: House, event_id: str) -> None:
    """As Slack does: a heartbeat this short may hang up once more on a busy machine."""
    for number in itertools.count():
        await home.edge.connected()
        await home.edge.envelope("events_api", _dm(event_id), f"{event_id}/{number}")
        with contextlib.suppress(TimeoutError):
            await home.edge.ack(f"{event_id}/{number}", 2.0)
            return


async def test_a_clock_that_jumps_neither_stops_the_sending_nor_the_listening(slack) -> None:
    off = [0.0]
    async with house(slack, wall=lambda: time.time() + off[0]) as home:
        there = await place(home)
        for number, jump in enumerate((10 * 365 * 86_400.0, -10 * 365 * 86_400.0, -3_600.0, 0.0)):
            off[0] = jump
            await home.channel.say(there, Message(f"{number}.m1", f"said {number}"))
            await home.channel.ask(there, card(id=f"{number}.1"))
            await slack.control("message", channel=there.conversation, user=ALICE, text=f"heard {number}")
            await home.ear.until(lambda number=number: home.ear.said and home.ear.said[-1].text == f"heard {number}")  # type: ignore[misc]
        said = [message["text"] for message in await slack.messages(there.conversation)]
        assert [text for text in said if text.startswith("said")] == [f"said {number}" for number in range(4)]
        assert sum(home.channel._clock.slept) < 20


async def test_a_revoked_token_is_one_clear_sentence_and_it_comes_back(slack, caplog) -> None:
    async with house(slack) as home:
        home.edge.fault = lambda method, _: "error:token_revoked"
        with pytest.raises(UndeliverableError, match=r"Slack refuses our bot token \(token_revoked\)") as told:
            await home.channel.say(await place(home), Message("1.m1", "hello"))
        assert told.value.retry_after_s == 60.0
        assert "OAuth & Permissions" in str(told.value)
        assert "xoxb" not in str(told.value).replace("xoxb-…", "")
        home.edge.fault = lambda method, _: ""
        await home.channel.say(await place(home), Message("1.m1", "hello"))


async def test_it_starts_while_slack_is_away_and_gets_there_by_itself(slack) -> None:
    tries: list[str] = []

    def fault(method: str, number: int) -> str:
        tries.append(method)
        return ("drop", "503", "429", "error:invalid_auth", "")[min(len(tries), 5) - 1]

    async with house(slack) as home:
        home.channel._bot = None
        home.edge.fault = fault
        assert await home.channel._reach(home.channel._us) == BOT
        assert home.channel.trouble == ""
        assert len(tries) == 5


async def say_and_show_links(home: House, count: int = 100) -> None:
    """Say and show links, mentions and markup; every send says that no preview is wanted.

    Raises:
        AssertionError: One would be fetched or could be clicked.
    """
    hooks = (
        "https://evil.test/?q=secret",
        "<https://evil.test/?q=secret|click>",
        "<!channel>",
        f"<@{ALICE}>",
        "![x](https://e.test/p.png)",
    )
    there = await place(home)
    for number in range(count):
        hook = hooks[number % len(hooks)]
        await home.channel.say(there, Message(f"{number}.m1", f"{number} {hook}"))
        await home.channel.ask(there, card(id=f"{number}.1", body=hook, note=hook, title=f"Send {hook}"))
    sends = [call["detail"] for call in await home.slack.log() if call.get("summary") == "chat.postMessage"]
    assert len(sends) >= min(2 * count, 200)  # the workspace keeps the newest of its traffic
    for send in sends:
        assert (send["unfurl_links"], send["unfurl_media"]) == (False, False)
        assert not clickable(send["blocks"])
        assert "<" not in send["text"]


async def test_no_send_shows_a_preview_or_makes_a_link_t12(slack) -> None:
    async with house(slack) as home:
        await say_and_show_links(home)


def clickable(blocks: list[dict]) -> list[str]:
    """Return everything in mrkdwn that Slack would turn into a link or a mention."""
    found = []
    for block in blocks:
        objects = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        for item in objects:
            if (
                isinstance(item, dict)
                and item.get("type") == "mrkdwn"
                and ("<" in item["text"] or "://" in item["text"])
            ):
                found.append(item["text"])
            if isinstance(item, dict) and ("url" in item or "image_url" in item):
                found.append(str(item))
    return found


def test_the_judge_of_links_sees_one_t12_twin() -> None:
    assert clickable([{"type": "section", "text": {"type": "mrkdwn", "text": "<https://evil.test|click>"}}])
    assert clickable([{"type": "actions", "elements": [{"type": "button", "url": "https://evil.test"}]}])


async def test_a_say_button_types_its_words(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        buttons = (Button("This week", "say", "", text="invoice Acme this week"), Button("Later", "say", "h123"))
        await home.channel.say(there, Message("7.m1", "When?", buttons=buttons))
        [message] = await slack.messages(there.conversation)
        await press(home, message, "say")
        assert [said.text for said in home.ear.said] == ["invoice Acme this week"]

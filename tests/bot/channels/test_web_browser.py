"""The console in a real Chromium: what a newcomer sees and presses."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.channels.base import Row
from connectors.base import Role
from tests.bot.channels.browser import chromium, gone, missing, one, prefer, resize, says, until
from tests.bot.channels.paper_window import PaperHouse, Served, march

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]

CARD = '.talk [data-card="12.1"]'
INVOICE = "invoice Acme 1,200 for the March retainer, net 14"
HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>\u202e&lt;b&gt;'


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def driver(chrome: Any) -> Iterator[Any]:
    """The browser with one tab; afterwards nothing may be left in its console that the page did not expect."""
    resize(chrome, 1280, 860)
    prefer(chrome, prefers_color_scheme="light", prefers_reduced_motion="reduce")
    yield chrome
    problems = [line for line in chrome.get_log("browser") if line["level"] == "SEVERE"]
    first, *rest = chrome.window_handles
    for handle in rest:
        chrome.switch_to.window(handle)
        chrome.close()
    chrome.switch_to.window(first)
    chrome.get("about:blank")
    # A lost connection is part of some stories; a blocked script or an exception of ours is part of none.
    assert [
        line["message"] for line in problems if "WebSocket" not in line["message"] and "net::ERR" not in line["message"]
    ] == []


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(PaperHouse()) as served:
        yield served


def visit(driver: Any, served: Served) -> None:
    driver.get(served.web.url)
    one(driver, "body[data-ready]")


def type_(driver: Any, *keys: str) -> None:
    one(driver, "#say").send_keys(*keys)


ENTER, SHIFT, UP, DOWN, TAB, ESC = "\ue007", "\ue008", "\ue013", "\ue015", "\ue004", "\ue00c"


# ── talking ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_newcomer_is_shown_what_to_try_and_one_press_says_it(driver: Any, served: Served) -> None:
    async def answer() -> None:
        await served.house.put(served.house.invoice())

    served.house.talk[INVOICE] = answer
    visit(driver, served)
    assert "?key=" not in driver.current_url
    assert "What needs doing?" in one(driver, ".welcome").text
    one(driver, ".suggestion").click()
    one(driver, CARD)
    assert [text for text, *_ in served.house.heard_texts] == [INVOICE]
    gone(driver, ".welcome")


def test_enter_sends_and_shift_enter_starts_a_line(driver: Any, served: Served) -> None:
    visit(driver, served)
    type_(driver, "first", SHIFT, ENTER, SHIFT, "second", ENTER)
    says(driver, ".from-operator", "second")
    until(driver, lambda _: served.house.heard_texts, "the message")
    assert served.house.heard_texts[0][0] == "first\nsecond"
    assert one(driver, "#say").get_property("value") == ""


def test_the_arrow_up_recalls_what_was_said(driver: Any, served: Served) -> None:
    served.do(march(served.house))
    visit(driver, served)
    type_(driver, UP, UP)
    assert one(driver, "#say").get_property("value") == "Acme paid 2025-0031"
    type_(driver, DOWN)
    assert one(driver, "#say").get_property("value") == INVOICE


def test_a_slash_offers_the_commands_and_the_keyboard_takes_one(driver: Any, served: Served) -> None:
    visit(driver, served)
    type_(driver, "/")
    assert len(driver.find_elements("css selector", "#commands li")) == 8
    type_(driver, "st", TAB)
    assert one(driver, "#say").get_property("value") == "/stuck"
    gone(driver, "#commands")
    type_(driver, ENTER)
    until(driver, lambda _: [t for t, *_ in served.house.heard_texts] == ["/stuck"], "the command")


def test_a_file_put_into_the_chat_goes_with_the_message(driver: Any, served: Served, tmp_path: Path) -> None:
    paper = tmp_path / "contract.txt"
    paper.write_text("We agree.")
    visit(driver, served)
    driver.find_element("id", "files").send_keys(str(paper))
    says(driver, ".attached", "contract.txt")
    until(driver, lambda d: d.find_elements("css selector", ".attached a.file"), "the kept file")
    type_(driver, "remember this", ENTER)
    says(driver, ".from-operator .file", "contract.txt")
    until(driver, lambda _: served.house.turns, "the message")
    assert served.house.turns[0].files[0].name == "contract.txt"
    assert served.house.files[served.house.turns[0].files[0].sha256][0] == b"We agree."


def test_a_file_dropped_anywhere_on_the_page_is_handed_over(driver: Any, served: Served) -> None:
    visit(driver, served)
    driver.execute_script(
        "const files = new DataTransfer(); files.items.add(new File(['a,b'], 'bank.csv', {type: 'text/csv'}));"
        "for (const kind of ['dragenter', 'dragover', 'drop'])"
        "  document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true}))"
    )
    says(driver, ".attached a.file", "bank.csv")
    gone(driver, "#drop")
    assert [kept[1:] for kept in served.house.files.values()] == [("bank.csv", "text/csv")]


def test_an_answer_that_overtakes_leaves_no_working_sign(driver: Any, served: Served) -> None:
    async def answer() -> None:
        await served.house.say("Nothing is unpaid.")

    served.house.talk["what's unpaid?"] = answer
    visit(driver, served)
    type_(driver, "what's unpaid?", ENTER)
    says(driver, ".from-soloist", "Nothing is unpaid.")
    gone(driver, "#working")
    type_(driver, "and now?", ENTER)
    one(driver, "#working")


def test_what_could_not_be_kept_stays_and_can_be_tried_again(driver: Any, served: Served) -> None:
    served.house.disk_full = "The disk is full. Free some space and try again."
    visit(driver, served)
    type_(driver, "what's unpaid?", ENTER)
    failed = says(driver, '[data-fate="failed"]', "The disk is full")
    assert "what's unpaid?" in failed.text
    served.house.disk_full = ""
    one(driver, ".fate .link").click()
    until(driver, lambda _: len(served.house.heard_texts) == 1, "the message")
    gone(driver, '[data-fate="failed"]')
    assert len(driver.find_elements("css selector", ".from-operator")) == 1


def test_what_is_typed_while_the_connection_is_lost_goes_out_once_when_it_is_back(driver: Any) -> None:
    house = PaperHouse()
    with Served(house) as first:
        visit(driver, first)
        port = first.web.port
    says(driver, "#line", "Connection lost")
    type_(driver, "Acme paid 2026-0001", ENTER, "half a sent")
    says(driver, ".from-operator", "when the connection is back")
    with Served(house, port):
        says(driver, "#line", "Connected again")
        until(driver, lambda _: house.heard_texts, "the message")
        says(driver, ".from-operator", "Acme paid 2026-0001")
        gone(driver, '[data-fate="sending"]')
        assert [text for text, *_ in house.heard_texts] == ["Acme paid 2026-0001"]
        assert len(driver.find_elements("css selector", ".from-operator")) == 1
        assert one(driver, "#say").get_property("value") == "half a sent"


def test_a_reload_keeps_the_draft_and_what_was_never_answered(driver: Any) -> None:
    house = PaperHouse()
    with Served(house) as first:
        visit(driver, first)
        port = first.web.port
        gate = first.do(_gate(house))
        type_(driver, "Acme paid 2026-0001", ENTER, "a thought")
        one(driver, '[data-fate="sending"]')
        driver.refresh()
        first.loop.call_soon_threadsafe(gate.set)
        one(driver, "body[data-ready]")
        says(driver, ".from-operator", "Acme paid 2026-0001")
        assert one(driver, "#say").get_property("value") == "a thought"
        until(driver, lambda _: len(house.heard_texts) == 1, "one message")
        until(driver, lambda d: len(d.find_elements("css selector", ".from-operator")) == 1, "one bubble")
        assert port == first.web.port


async def _gate(house: PaperHouse) -> Any:
    import asyncio

    house.gate = asyncio.Event()
    return house.gate


# ── cards ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def waiting_card(driver: Any, served: Served) -> Any:
    served.do(march(served.house))
    visit(driver, served)
    return one(driver, CARD)


def button(driver: Any, verb: str) -> Any:
    return one(driver, f'{CARD} [data-verb="{verb}"]')


def test_the_card_shows_everything_that_will_happen(driver: Any, served: Served) -> None:
    card = waiting_card(driver, served)
    for words in (
        "billing@acme.example", "NEW", "1,428.00 EUR", "March retainer", "VAT 19 %", "228.00 EUR", "2026-0001",
        "16 March 2026", "Dear Jane", "Robin Vale", "Invoice-2026-0001.pdf", "The agent’s words", "Point of no return",
        "Asked because", "Runs out",
    ):  # fmt: skip
        assert words in card.text
    assert one(card, ".lines .number").value_of_css_property("text-align") == "right"


def test_approve_settles_the_card_in_every_tab_and_undo_counts_down(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    desk = driver.current_window_handle
    driver.switch_to.new_window("tab")
    visit(driver, served)
    button(driver, "approve").click()
    for handle in (driver.current_window_handle, desk):
        driver.switch_to.window(handle)
        says(driver, f"{CARD} .outcome", "Goes to billing@acme.example in 30 s")
        gone(driver, f'{CARD} [data-verb="approve"]')
        assert "0:2" in button(driver, "undo").text
    button(driver, "undo").click()
    says(driver, f"{CARD} .outcome", "Taken back")
    assert [press["verb"] for press in served.house.presses] == ["approve", "undo"]


def test_a_settled_card_is_brief_and_keeps_everything_one_press_away(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    tall = one(driver, CARD).size["height"]
    button(driver, "approve").click()
    outcome = says(driver, f"{CARD} .outcome", "Approved")
    card = one(driver, CARD)
    assert card.size["height"] < tall / 3
    assert "1,428.00 EUR to billing@acme.example" in card.text.replace("\n", " ")
    assert driver.execute_script("return arguments[0].getBoundingClientRect().bottom < innerHeight", outcome)
    one(driver, f"{CARD} .more").click()
    assert "Dear Jane" in one(driver, CARD).text
    assert "The agent’s words" in one(driver, CARD).text


def test_several_recipients_files_and_items_stand_under_one_label(driver: Any, served: Served) -> None:
    card = served.house.invoice()
    file = card.files[0]
    rows = (
        Row("To", "billing@acme.example", Role.RECIPIENTS, vital=True),
        Row("To", "cfo@acme.example", Role.RECIPIENTS, vital=True, mark="NEW"),
        Row("Items", "March retainer: 1200.00", Role.LINES, vital=True),
        Row("", "Advice: on call: 3 × 400.00 = 1200.00", Role.LINES, vital=True),
        Row("", "as agreed", Role.LINES, vital=True),
        Row("Attached", f"{file.name} (549 B, sha256 {file.sha256[:12]}…)", Role.ATTACHMENTS, vital=True),
    )
    served.do(served.house.put(replace(card, rows=rows)))
    visit(driver, served)
    facts = one(driver, f"{CARD} .facts")
    assert [label.text for label in facts.find_elements("css selector", "dt")] == ["To", "Items", "Attached"]
    cells = [
        [td.text for td in tr.find_elements("css selector", "td")] for tr in facts.find_elements("css selector", "tr")
    ]
    assert cells == [["March retainer", "1200.00"], ["Advice: on call", "3 × 400.00", "1200.00"], ["as agreed"]]
    assert f"(549 B, sha256 {file.sha256[:12]}…)" in facts.text
    assert len(driver.find_elements("css selector", f"{CARD} a.file")) == 1


def test_an_undo_button_goes_when_its_time_is_over(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    button(driver, "approve").click()
    assert button(driver, "undo").is_displayed()
    driver.execute_script("Date.now = ((now) => () => now() + 60000)(Date.now)")
    gone(driver, f'{CARD} [data-verb="undo"]')


def test_edit_sends_only_what_was_changed_and_shows_the_new_revision(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    button(driver, "edit").click()
    field = one(driver, 'input[name="mail.send.subject"]')
    assert field.get_property("value") == "Invoice 2026-0001: March retainer"
    assert not one(driver, ".edit [type=submit]").is_enabled()
    field.send_keys("!", ENTER)
    says(driver, f"{CARD} .changes", "March retainer!")
    assert served.house.presses[0]["edits"] == {"mail.send.subject": "Invoice 2026-0001: March retainer!"}
    assert "rev. 2" in one(driver, f"{CARD} .card-id").text
    button(driver, "approve").click()
    says(driver, f"{CARD} .outcome", "Approved")


def test_a_half_done_edit_is_not_lost_when_it_is_closed(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    button(driver, "edit").click()
    one(driver, 'input[name="mail.send.subject"]').send_keys(" and more", ESC)
    gone(driver, ".edit")
    assert driver.switch_to.active_element.get_attribute("data-verb") == "edit"
    button(driver, "edit").click()
    assert one(driver, 'input[name="mail.send.subject"]').get_property("value").endswith(" and more")


def test_reject_takes_one_tap_for_the_reason(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    button(driver, "reject").click()
    one(driver, '[data-reason="Wrong amount"]').click()
    says(driver, f"{CARD} .outcome", "Rejected at 09:13: Wrong amount.")
    assert served.house.presses[0]["reason"] == "Wrong amount"
    says(driver, "#overview", "Nothing waits for you.")


def test_snooze_offers_times_and_the_card_stays_open(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    button(driver, "snooze").click()
    until(
        driver, lambda d: [e for e in d.find_elements("css selector", ".panel .chip") if "Tomorrow" in e.text], "times"
    )[0].click()
    says(driver, f"{CARD} .state", "Put aside")
    assert served.house.presses[0]["until"].isoformat() == "2026-03-03T09:00:00+00:00"
    assert button(driver, "approve").is_enabled()


def test_asking_for_changes_says_which_card_is_meant(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    one(driver, f'{CARD} [data-key="reply"]').click()
    type_(driver, "friendlier, please", ENTER)
    until(driver, lambda _: served.house.heard_texts, "the message")
    assert served.house.heard_texts[0][0] == "friendlier, please"
    assert served.house.heard_texts[0][2] == "12.1"


def test_a_refused_press_is_told_and_the_card_stays(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    card = served.house.cards["12.1"]
    served.house.cards["12.1"] = replace(card, buttons=())  # the house has moved on, this page has not heard
    button(driver, "approve").click()
    says(driver, f"{CARD} .word", "older version of this card")
    assert button(driver, "approve").is_enabled()


def test_a_press_while_the_connection_is_lost_can_be_taken_back(driver: Any) -> None:
    house = PaperHouse()
    with Served(house) as first:
        waiting_card(driver, first)
        port = first.web.port
    says(driver, "#line", "Connection lost")
    button(driver, "approve").click()
    says(driver, f"{CARD} .word", "when the connection is back")
    one(driver, f"{CARD} .word .link").click()
    says(driver, f"{CARD} .word", "Not sent.")
    with Served(house, port):
        says(driver, "#line", "Connected again")
        button(driver, "reject").click()
        one(driver, '[data-reason="Not now"]').click()
        says(driver, f"{CARD} .outcome", "Rejected")
    assert [press["verb"] for press in house.presses] == ["reject"]


def test_a_reconnect_leaves_an_open_form_alone(driver: Any) -> None:
    house = PaperHouse()
    with Served(house) as first:
        waiting_card(driver, first)
        port = first.web.port
        button(driver, "edit").click()
        one(driver, 'input[name="mail.send.subject"]').send_keys(" and")
    says(driver, "#line", "Connection lost")
    with Served(house, port):
        says(driver, "#line", "Connected again")
        until(driver, lambda d: d.execute_script("return document.body.dataset.ready !== undefined"), "the snapshot")
        field = one(driver, 'input[name="mail.send.subject"]')
        field.send_keys(" more")
        assert field.get_property("value").endswith(" and more")


def test_what_asks_again_before_it_counts_does_nothing_at_the_first_press(driver: Any, served: Served) -> None:
    served.do(served.house.put(served.house.unknown()))
    visit(driver, served)
    one(driver, '[data-card="10.1"] [data-verb="again"]').click()
    says(driver, ".panel", "Initech gets it twice")
    assert served.house.presses == []
    one(driver, "[data-confirm]").click()
    says(driver, '[data-card="10.1"] .outcome', "again")


def test_a_shadow_card_has_no_button_that_executes(driver: Any, served: Served) -> None:
    shadow = served.house.shadow()
    served.do(served.house.put(shadow))
    served.do(served.house.put(replace(shadow, id="14.1", kind="approval", state="pending")))  # the twin: not a shadow
    visit(driver, served)

    def verbs(card: str) -> list[str]:
        found = driver.find_elements("css selector", f'[data-card="{card}"] [data-verb]')
        return [element.get_attribute("data-verb") for element in found]

    assert verbs("13.1") == ["say"]
    assert verbs("14.1") == ["approve", "say"]
    assert "Nothing here runs" in one(driver, '[data-card="13.1"]').text


def test_what_is_at_stake_stands_beside_the_button_of_a_tall_card(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    stake = one(driver, f"{CARD} .stake")
    for words in ("1,428.00 EUR", "billing@acme.example", "NEW", "Invoice-2026-0001.pdf"):
        assert words in stake.text
    for seen in (stake, button(driver, "approve"), one(driver, f"{CARD} h3")):
        box = seen.rect
        assert 0 <= box["y"] + 0 <= 860 - box["height"]


def test_a_long_letter_is_folded_and_recipients_never_are(driver: Any, served: Served) -> None:
    people = "\n".join(f"person{number}@acme.example" for number in range(40))
    card = served.house.invoice()
    card = replace(
        card, body="\n".join(f"line {n}" for n in range(60)), rows=(Row("To", people, Role.RECIPIENTS, vital=True),)
    )
    served.do(served.house.put(card))
    visit(driver, served)
    shown = one(driver, CARD)
    assert "person39@acme.example" in shown.text
    assert "to 40 recipients, all listed above" in shown.text
    fold = one(driver, f'{CARD} [data-key="fold"]')
    assert fold.text == "Show all of it (60 lines)"
    height = one(driver, f"{CARD} .body-text").size["height"]
    driver.execute_script("arguments[0].click()", fold)
    until(
        driver,
        lambda d: d.find_element("css selector", f"{CARD} .body-text").size["height"] > 2 * height,
        "the whole letter",
    )


def test_hostile_text_stays_text_everywhere(driver: Any, served: Served) -> None:
    house = served.house
    card = house.invoice()
    hostile = replace(
        card,
        title=HOSTILE, body=HOSTILE, note=HOSTILE, warnings=(HOSTILE,), changes=(HOSTILE,), reasons=(HOSTILE,),
        sources=(HOSTILE,), footer=(HOSTILE,), reject_reasons=(HOSTILE,),
        rows=tuple(replace(row, label=HOSTILE, value=HOSTILE, mark=HOSTILE) for row in card.rows),
        files=(replace_name(card.files[0], HOSTILE),),
        fields=tuple(replace(field, label=HOSTILE, value=HOSTILE) for field in card.fields),
        buttons=tuple(replace(b, label=HOSTILE, confirm=HOSTILE) for b in card.buttons),
    )  # fmt: skip
    served.do(house.put(hostile))
    served.do(house.say(HOSTILE + "\n- " + HOSTILE))
    house.stuck = (HOSTILE,)
    visit(driver, served)
    type_(driver, HOSTILE, ENTER)
    until(driver, lambda d: len(d.find_elements("css selector", ".from-operator")) == 1, "what was typed")
    for verb in ("edit", "reject"):
        driver.execute_script(
            "arguments[0].click()", driver.find_element("css selector", f'{CARD} [data-verb="{verb}"]')
        )
        one(driver, ".panel")
        driver.execute_script("document.querySelector('.panel [data-key=back]').click()")
        gone(driver, ".panel")
    assert "owned" not in driver.title
    assert (
        driver.find_elements("css selector", ".talk img, .pane img, .talk script, .pane script, .talk b:not([class]) b")
        == []
    )
    assert "<script>" in one(driver, f"{CARD} h3").text
    blocked = driver.execute_script(
        "try { document.body.innerHTML = '<b>x</b>'; return false } catch (e) { return e.name }"
    )
    assert blocked == "TypeError"  # the policy behind the page's own care
    driver.get_log("browser")  # that one refusal is meant to be there


RENDER = """
const [card, values, done] = arguments;
import("/page/card.js").then(({ CardView }) => {
  const house = { online: () => true };
  done(values.map((value) => {
    const rows = [{ ...card.rows[0], value, mark: "" }];
    const view = new CardView({ ...card, rows, body: value, title: value, files: [] }, house);
    return ["h3", ".fact .value", ".stake", ".body-text"].map((css) => view.element.querySelector(css).textContent);
  }));
}, (error) => done(String(error)));
"""


def test_two_different_texts_never_look_the_same_on_a_card(driver: Any, served: Served) -> None:
    dice = random.Random(20260302)
    signs = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2"  # of this category, and can be seen
    formats = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cf" and chr(c) not in signs]
    unseen = [*formats, "\u115f", "\u3164", "\u034f", "\ufe0e", "\ufe0f"]
    hidden = frozenset(unseen)
    plain = "billing@acme.example"
    bent = []
    for number in range(2000):
        place = dice.randrange(len(plain) + 1)
        some = unseen[number % len(unseen)] + "".join(dice.choices(unseen, k=dice.randrange(3)))
        bent.append(plain[:place] + some + plain[place:])
    visit(driver, served)
    card = json.loads(msgspec.json.encode(served.house.invoice()))

    def look(text: str) -> str:
        return "".join(c for c in text if c not in hidden)

    shown = driver.execute_async_script(RENDER, card, [plain, *bent])
    honest = [look(text) for text in shown[0]]
    assert honest[1] == plain
    for value, texts in zip(bent, shown[1:], strict=True):
        for text, same in zip(texts, honest, strict=True):
            assert look(text) != same, ascii(value)
    assert all(look(value) == plain for value in bent)  # without the marks, all of them would look the same
    emoji = "👩\u200d💻 ❤\ufe0f می\u200cخواهم"
    assert driver.execute_async_script(RENDER, card, [emoji])[0][3] == emoji


def replace_name(file: Any, name: str) -> Any:
    return msgspec.structs.replace(file, name=name)


# ── the pane ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pane_shows_what_waits_and_leads_to_the_card(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    assert "2,856.00 EUR in 2 invoices" in one(driver, "#overview").text
    assert driver.title == "(1) Soloist"
    one(driver, '[data-waiting="12.1"]').click()
    assert driver.switch_to.active_element.get_attribute("data-card") == "12.1"


def test_a_card_from_long_ago_opens_over_the_conversation_and_settles_there(driver: Any, served: Served) -> None:
    served.do(served.house.put(served.house.invoice()))
    for number in range(70):
        served.do(served.house.say(f"line {number}"))
    visit(driver, served)
    one(driver, '[data-waiting="12.1"]').click()
    one(driver, '#sheet [data-verb="approve"]').click()
    says(driver, "#sheet .outcome", "Approved")
    one(driver, ".close-sheet").click()
    one(driver, "#earlier")
    driver.execute_script("document.getElementById('earlier').click()")
    until(driver, lambda d: len(d.find_elements("css selector", CARD)) == 1, "the card further up")
    gone(driver, "#earlier")


def test_a_timeline_in_view_goes_on_by_itself(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    one(driver, f'{CARD} [data-key="timeline"]').click()
    steps = len(one(driver, ".timeline").find_elements("css selector", "li"))
    lines = served.house.timeline("12")
    served.house.timeline = lambda _: [*lines, replace(lines[-1], what="Paid by Acme")]  # type: ignore[method-assign]
    served.do(served.house.say("Paid."))
    until(driver, lambda d: len(d.find_elements("css selector", ".timeline li")) == steps + 1, "one more step")


def test_a_cards_number_leads_to_its_timeline(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    one(driver, f'{CARD} [data-key="timeline"]').click()
    assert "Sent to billing@acme.example" in one(driver, ".timeline").text
    one(driver, ".back").click()
    one(driver, '[data-task="12"]').click()
    one(driver, ".timeline")


# ── for everybody ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_keyboard_alone_is_enough_and_focus_is_never_lost(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    driver.execute_script("document.activeElement.blur()")
    approve = button(driver, "approve")
    for _ in range(30):
        driver.switch_to.active_element.send_keys(TAB)
        if driver.switch_to.active_element == approve:
            break
    driver.switch_to.active_element.send_keys(ENTER)
    says(driver, f"{CARD} .outcome", "Approved")
    assert driver.switch_to.active_element.get_attribute("data-card") == "12.1"


def test_every_control_has_a_name_and_news_is_announced(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    for verb in ("edit", "reject"):
        button(driver, verb).click()
        nameless = driver.execute_script(
            "return [...document.querySelectorAll('button, input, textarea, a')].filter((e) => e.offsetParent && "
            "!(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)"
        )
        assert nameless == []
        one(driver, '[data-key="back"]').click()
    assert one(driver, "#talk").get_attribute("aria-live") == "polite"
    assert one(driver, "#line").get_attribute("role") == "status"


CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
const ground = (element) => { const layers = []; for (let e = element; e; e = e.parentElement) {
  const layer = rgba(getComputedStyle(e).backgroundColor); if (layer[3]) layers.push(layer); if (layer[3] === 1) break; }
  return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]); };
const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
  return .2126 * r + .7152 * g + .0722 * b; };
const faint = [];
let measured = 0;
for (const element of document.querySelectorAll("body *")) {
  if (!element.offsetParent || element.disabled || element.closest("[hidden], :disabled, .unseen")) continue;
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  measured += 1;
  const under = ground(element);
  const [a, b] = [light(over(rgba(getComputedStyle(element).color), under)), light(under)].sort((x, y) => y - x);
  const contrast = (a + .05) / (b + .05);
  if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.className} ${element.textContent.slice(0, 30)}`);
}
return [measured, faint];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_has_enough_contrast(driver: Any, served: Served, scheme: str) -> None:
    prefer(driver, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    house = served.house
    house.paused = ("Posting is paused.",)
    for card in (house.expired(), house.unknown(), house.shadow()):
        served.do(house.put(card))
    served.do(march(house))
    served.do(
        house.put(
            replace(
                house.invoice("15.1"),
                state="approved",
                outcome="Sent.",
                changes=("Total",),
                warnings=("Late",),
                buttons=(),
            )
        )
    )
    served.do(house.say("No.", kind="problem"))
    visit(driver, served)
    measured, faint = driver.execute_script(CONTRASTS)
    assert faint == []
    assert measured > 100
    driver.execute_script("document.querySelector('.state').style.color = 'rgba(128, 128, 128, .5)'")
    assert driver.execute_script(CONTRASTS)[1] != []  # the measure does notice


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
def test_nothing_sticks_out_on_any_width(driver: Any, served: Served, width: int) -> None:
    resize(driver, width, 800, phone=width < 700)
    waiting_card(driver, served)
    for name in ("overview", "tasks", "chat"):
        tab = driver.find_element("css selector", f'.views [data-view="{name}"]')
        if tab.is_displayed():
            tab.click()
        wide = driver.execute_script(
            "return [...document.querySelectorAll('body *')].filter((e) => e.offsetParent && !e.closest('.unseen, .skip')"
            " && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.className)"
        )
        assert wide == []


def test_reduced_motion_is_respected(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    durations = "return getComputedStyle(document.querySelector('.card')).transitionDuration"
    assert driver.execute_script(durations) == "0s"
    prefer(driver, prefers_color_scheme="light", prefers_reduced_motion="no-preference")
    assert driver.execute_script(durations) != "0s"


def test_without_the_link_the_page_says_how_to_get_in(driver: Any, served: Served) -> None:
    driver.get(f"http://127.0.0.1:{served.web.port}/")
    assert "Open the link that Soloist printed" in one(driver, "main").text
    driver.get_log("browser")  # the browser itself notes the 401


def test_a_browser_signed_out_meanwhile_is_told_so(driver: Any) -> None:
    house = PaperHouse()
    with Served(house) as first:
        visit(driver, first)
        port = first.web.port
        driver.delete_all_cookies()
    with Served(house, port):
        says(driver, "#line", "Signed out")
    driver.get_log("browser")


def test_the_pdf_opens_as_itself(driver: Any, served: Served) -> None:
    waiting_card(driver, served)
    chip = one(driver, f"{CARD} a.file")
    assert chip.get_attribute("target") == "_blank"
    found = driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then(async (a) =>"
        " done(JSON.stringify([a.status, a.headers.get('content-type'), (await a.text()).slice(0, 5)])))",
        chip.get_attribute("href"),
    )
    assert json.loads(found) == [200, "application/pdf", "%PDF-"]

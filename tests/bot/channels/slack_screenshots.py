"""Pictures of our cards in the counterpart's own page: ``python -m tests.bot.channels.slack_screenshots OUTDIR``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.channels.base import Button, Home, Message, Row
from connectors.base import Role
from memory.events import Place
from tests.bot.channels.browser import chromium, missing, one, resize
from tests.bot.channels.slack_house import House, card, house
from tests.counterparts.slack import ALICE, local_slack

SIZE = (1280, 1000)


def main(folder: Path) -> None:
    """Render every scene into ``folder``."""
    if missing():
        sys.exit(f"No pictures: {missing()}.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), size=SIZE) as driver:
        resize(driver, *SIZE, scale=1.5)
        asyncio.run(scenes(driver, folder))


async def scenes(driver: Any, folder: Path) -> None:
    """Play each scene in a fresh workspace and take its picture."""
    with local_slack("socket") as slack:
        for name, scene in SCENES.items():
            async with house(slack, home_view=at_home) as running:
                dm = await slack.dm()
                await scene(running, Place(channel="slack", conversation=dm))
                await asyncio.to_thread(picture, driver, slack.base, folder / f"slack-{name}.png", name)


def picture(driver: Any, base: str, path: Path, name: str) -> None:
    """Open the page as Alice and take what it shows."""
    driver.get(base)
    one(driver, "body")
    driver.execute_async_script("setTimeout(arguments[0], 400)")
    label = "soloist" if name == "home" else "Alice Anderson"
    driver.execute_script(
        "[...document.querySelectorAll('*')].filter(e => (e.innerText || '').trim().endsWith(arguments[0]) &&"
        " e.getBoundingClientRect().right < 260 && e.getBoundingClientRect().top > 60).pop().click()",
        label,
    )
    # Slack keeps line breaks in plain text; this page runs them together.
    driver.execute_script(
        "document.head.insertAdjacentHTML('beforeend', '<style>.bk-text, .bk-field {white-space: pre-wrap}</style>')"
    )
    driver.execute_async_script("setTimeout(arguments[0], 400)")
    driver.save_screenshot(str(path))


async def pending(running: House, place: Place) -> None:
    await running.slack.control(
        "message", channel=place.conversation, user=ALICE, text="invoice Acme 1,200 for the March retainer, net 14"
    )
    await running.channel.say(place, Message("12.m1", "Here is the draft; nothing has left the house."))
    await running.channel.ask(place, card())


async def settled(running: House, place: Place) -> None:
    ref = await running.channel.ask(place, card())
    done = card(
        state="approved", footer=(), outcome="Approved by you on slack today 09:12. Sent to 2 people, Message-ID 7f3a.",
        buttons=(Button("Undo", "undo", "h"),), fields=(), reject_reasons=(),
    )  # fmt: skip
    await running.channel.settle(place, ref, done)


async def hostile(running: House, place: Place) -> None:
    rows = (
        Row("To", "billing@аcme.test", Role.RECIPIENTS, vital=True, mark="NEW"),
        Row("Amount", "1200.00 EUR\u202e", Role.AMOUNT, vital=True),
        Row("Items", "<!channel> *bold* <https://evil.test|your bank> :smile: &lt;", Role.LINES, vital=True),
    )
    body = "Dear Acme\u200b,\n\n*To*\nsomebody@else.test\n<https://evil.test|click here>"
    await running.channel.ask(
        place, card(rows=rows, body=body, warnings=("The body names an address that is no recipient.",))
    )


async def unknown(running: House, place: Place) -> None:
    buttons = (
        Button("It arrived", "arrived", "h", "primary"),
        Button("Send again", "again", "h", "danger", confirm="If it did arrive, it will arrive twice. Send again?"),
        Button("Drop it", "drop", "h"),
    )
    asked = card(kind="unknown", title="Did this mail go out?", buttons=buttons, reject_reasons=(), fields=())
    await running.channel.ask(place, replace(asked, note="", reasons=(), sources=(), confidence_pct=0))


async def form(running: House, place: Place) -> None:
    running.ear.cards["12.1"] = card()
    ref = await running.channel.ask(place, card())
    action = {"type": "button", "action_id": "edit:1", "block_id": "card:12.1:1", "value": "h"}
    async with running.slack.window() as window:
        await running.slack.control("interact", channel=place.conversation, messageTs=ref, user=ALICE, action=action)
        await window.until("view")


async def home(running: House, place: Place) -> None:
    await running.slack.control("open-home", user=ALICE)


def at_home() -> Home:
    return Home(
        waiting=(card(),),
        stuck=("9.1 mail to Beta: the address does not exist. Edit it or drop it.",),
        money=("Open: 3,400.00 EUR in 3 invoices", "Overdue: 1,200.00 EUR, Acme, 12 days"),
        budget=("Models today: 0.12 of 2.00 USD",),
        next=("Tomorrow 10:00 Call with Acme",),
    )


SCENES = {"card": pending, "settled": settled, "hostile": hostile, "unknown": unknown, "form": form, "home": home}

if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Pictures of the console in every state, for the README and for looking at: ``python -m tests.bot.channels.screenshots OUTDIR``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.bot.channels.browser import chromium, missing, one, prefer, resize, says
from tests.bot.channels.paper_window import PaperHouse, Served, march

WIDE = (1360, 880)
PHONE = (390, 844)


def main(folder: Path) -> None:
    """Render every state into ``folder``, light and dark where that matters."""
    if missing():
        sys.exit(f"No pictures: {missing()}.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile), size=WIDE) as driver:
        for name, scene in SCENES.items():
            for scheme in ("light", "dark"):
                for size, label in ((WIDE, ""), (PHONE, "-phone")):
                    if label and name not in ON_PHONE:
                        continue
                    resize(driver, *size, scale=2 if label else 1.5, phone=bool(label))
                    prefer(driver, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
                    with Served(PaperHouse()) as served:
                        scene(driver, served)
                        settle(driver)
                        driver.save_screenshot(str(folder / f"{name}-{scheme}{label}.png"))


def settle(driver: Any) -> None:
    """Let the page draw: two frames, fonts and pictures included."""
    driver.execute_async_script(
        "const done = arguments[0]; document.fonts.ready.then(() =>"
        " requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"
    )


def visit(driver: Any, served: Served) -> None:
    driver.get(served.web.url)
    one(driver, "body[data-ready]")


def empty(driver: Any, served: Served) -> None:
    visit(driver, served)


def pending(driver: Any, served: Served) -> None:
    served.do(march(served.house))
    visit(driver, served)
    one(driver, '[data-card="12.1"]')


def press(verb: str) -> Callable[[Any, Served], None]:
    def scene(driver: Any, served: Served) -> None:
        pending(driver, served)
        one(driver, f'[data-card="12.1"] [data-verb="{verb}"]').click()

    return scene


def approved(driver: Any, served: Served) -> None:
    press("approve")(driver, served)
    says(driver, '[data-card="12.1"] .outcome', "Approved at")
    served.do(
        served.house.say(
            "Sent invoice 2026-0001 to billing@acme.example.\n250 2.0.0 Ok: queued as 4F2A", kind="receipt"
        )
    )


def rejected(driver: Any, served: Served) -> None:
    press("reject")(driver, served)
    one(driver, '[data-reason="Wrong amount"]').click()
    says(driver, '[data-card="12.1"] .outcome', "Rejected")


def edited(driver: Any, served: Served) -> None:
    press("edit")(driver, served)
    field = one(driver, 'input[name="mail.send.subject"]')
    field.clear()
    field.send_keys("March retainer: invoice 2026-0001")
    one(driver, ".edit [type=submit]").click()
    says(driver, '[data-card="12.1"] .changes', "Subject")
    driver.execute_script("document.querySelector('[data-card=\"12.1\"]').scrollIntoView()")


def others(driver: Any, served: Served) -> None:
    for card in (served.house.expired(), served.house.unknown(), served.house.shadow()):
        served.do(served.house.put(card))
    served.house.stuck = ("Reminder to Initech: nobody knows whether it went out (10.1)",)
    served.house.paused = ("Posting is paused since Friday, 17:40.",)
    visit(driver, served)


def timeline(driver: Any, served: Served) -> None:
    pending(driver, served)
    one(driver, '[data-card="12.1"] [data-key="timeline"]').click()
    one(driver, ".timeline")


def overview(driver: Any, served: Served) -> None:
    others(driver, served)
    served.do(served.house.put(served.house.invoice()))
    one(driver, '.views [data-view="overview"]').click()


def commands(driver: Any, served: Served) -> None:
    pending(driver, served)
    driver.find_element(By.ID, "say").send_keys("/", Keys.ARROW_DOWN)
    one(driver, "#commands li")


def trouble(driver: Any, served: Served) -> None:
    visit(driver, served)
    served.house.disk_full = "The disk is full, so this could not be kept. Free some space and try again."
    driver.find_element(By.ID, "say").send_keys("what's unpaid?", Keys.ENTER)
    says(driver, ".fate", "disk is full")
    served.house.disk_full = ""
    served.do(served.house.say("Which Acme: Acme GmbH, or Acme Labs?", kind="question"))
    served.do(
        served.house.say(
            "The mail server said 550: no such mailbox. Nothing was sent. Check the address.", kind="problem"
        )
    )


SCENES: dict[str, Callable[[Any, Served], None]] = {
    "empty": empty,
    "pending": pending,
    "editing": press("edit"),
    "rejecting": press("reject"),
    "snoozing": press("snooze"),
    "edited": edited,
    "approved": approved,
    "rejected": rejected,
    "others": others,
    "timeline": timeline,
    "overview": overview,
    "commands": commands,
    "trouble": trouble,
}
ON_PHONE = {"empty", "pending", "approved", "editing", "others", "overview", "timeline"}

if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))

"""A real Chromium on the console: how it is started, and waiting without sleeping."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.counterparts.ports import free_port

T = TypeVar("T")

PATIENCE_S = 120  # a busy machine; usually milliseconds
CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",  # a container has 64 MB there, and a page that finds it full crashes
)


def missing() -> str:
    """Why there can be no browser test here; empty when there can."""
    gone = [path for path in (CHROMIUM, DRIVER) if shutil.which(path) is None]
    return f"needs {' and '.join(gone)} (apt-get install chromium chromium-driver)" if gone else ""


@contextmanager
def chromium(profile: Path, *, size: tuple[int, int] = (1280, 860)) -> Iterator[webdriver.Chrome]:
    """A fresh browser on a fresh profile, in the zone and language of the paper company."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "--lang=en-GB"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=Service(DRIVER, port=free_port(), env={"TZ": "UTC", "HOME": str(profile)})
    )
    try:
        resize(driver, *size)
        driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int, *, scale: float = 1, phone: bool = False) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone},
    )


def prefer(driver: webdriver.Chrome, **features: str) -> None:
    """``prefer(driver, prefers_color_scheme="dark")``."""
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})


def until(driver: webdriver.Chrome, found: Callable[[webdriver.Chrome], T], what: str) -> T:
    """Wait until ``found`` gives something true, by polling the page, and return it."""
    return WebDriverWait(driver, PATIENCE_S, poll_frequency=0.03, ignored_exceptions=_passing()).until(
        found, f"never saw {what}"
    )


def one(driver: Any, css: str) -> Any:
    return until(
        driver, lambda d: next((e for e in d.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()), None), css
    )


def gone(driver: Any, css: str) -> None:
    until(driver, lambda d: not any(e.is_displayed() for e in d.find_elements(By.CSS_SELECTOR, css)), f"no more {css}")


def says(driver: Any, css: str, words: str) -> Any:
    return until(
        driver,
        lambda d: next((e for e in d.find_elements(By.CSS_SELECTOR, css) if words in e.text), None),
        f"{words!r} in {css}",
    )


def _passing() -> tuple[type[Exception], ...]:
    from selenium.common.exceptions import StaleElementReferenceException

    return (StaleElementReferenceException,)

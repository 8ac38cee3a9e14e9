"""The recipes of CONTRIBUTING.md are done in a copy of the house: what a newcomer copies is what works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bot", "agents", "memory", "connectors", "tests")
BLOCK = re.compile(r"^`(?P<path>[\w/]+\.py)`\n\n```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LIST = "AGREED = ["
CONTRACTS = (
    "tests/agents/test_contract.py",
    "tests/agents/test_intents_lint.py",
    "tests/connectors/test_contract.py",
    "tests/test_architecture.py",
)

# What names the newcomers, and what holds for all together; what each of the others owes is tested where they live.
NEW_OR_COMMON = (
    "drive or weather or folder or every or no_sentence or unique or checks_are_read or arrows or strangers or once"
)


def recipes() -> dict[str, str]:
    """Path → code, in the order of the page."""
    return {found["path"]: found["code"] for found in BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text("utf-8"))}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms as they stand, in a folder of their own; without the model, so that words alone are trained: seconds."""
    house = tmp_path / "house"
    for room in ROOMS:
        shutil.copytree(ROOT / room, house / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("pyproject.toml", "policy.example.toml", ".env.example", "Makefile"):
        shutil.copy(ROOT / name, house / name)
    return house


def follow(house: Path, *, without: str = "") -> None:
    """Do what the page says."""
    for path, code in recipes().items():
        if path != without:
            (house / path).write_text(code, encoding="utf-8")


def run(house: Path, *arguments: str, rooms: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SOLOIST_", "COV_"))
    }
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=house,
        env={**environment, "PYTHONPATH": str(rooms or house), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


def test_the_page_shows_a_connector_an_agent_and_a_channel_each_with_its_test() -> None:
    assert sorted(recipes()) == [
        "agents/drives.py",
        "bot/channels/folder.py",
        "connectors/weather.py",
        "tests/agents/test_drives.py",
        "tests/bot/channels/test_folder.py",
        "tests/connectors/test_weather.py",
    ]
    assert not [path for path in recipes() if (ROOT / path).exists()], "a recipe's file is none of the house"


def test_the_recipes_work_and_keep_every_contract(copy: Path) -> None:
    follow(copy)
    tests = [path for path in recipes() if path.startswith("tests/")]
    done = run(copy, "pytest", "-q", "-x", *tests, *CONTRACTS, "-k", NEW_OR_COMMON)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    settings = run(copy, "bot", "settings")
    assert "#WEATHER_URL=" in settings.stdout, "a new connector's settings show by themselves"


def test_the_page_on_memory_finds_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "memory" / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "trial.py").write_text(code, encoding="utf-8")
    if (ROOT / ".models").exists():
        (tmp_path / ".models").symlink_to(ROOT / ".models")
    done = run(tmp_path, "trial", rooms=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Acme pays within 30 days.")
    assert "Globex" not in done.stdout, "a client's namespace is a wall"


def test_a_recipe_without_its_test_would_be_noticed(copy: Path) -> None:
    follow(copy, without="tests/agents/test_drives.py")
    done = run(copy, "pytest", "-q", "-x", "--noconftest", "tests/test_architecture.py")
    assert done.returncode == 1
    assert "a file without a test: ['agents/drives.py']" in done.stdout


def test_the_recipes_are_clean_for_the_linter_and_the_type_checker(copy: Path) -> None:
    follow(copy)
    paths = [*recipes()]
    for tool in (["ruff", "check", "--no-cache", *paths], ["ruff", "format", "--no-cache", "--check", *paths]):
        done = run(copy, *tool)
        assert done.returncode == 0, done.stdout + done.stderr

"""T23: everything that is installed is pinned with hashes, nothing runs at start that nobody listed, no open door."""

from __future__ import annotations

import hashlib
import re
import site
import sys
from pathlib import Path

import pytest

from bot.channels.web.door import Door, OpenDoorError
from tests.torture.bare import Found

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PTH_KNOWN = {
    # setuptools' own; its text moves with the Python that made the environment.
    "distutils-precedence.pth": "",
}
"""Name → SHA-256 of what was read and understood, "" where it may differ."""

PIN = re.compile(r"^([A-Za-z0-9][\w.\-\[\],]*)==([\w.+!]+)(?:\s*;[^\\]*)?\s*((?:\\\s*--hash=sha256:[0-9a-f]{64}\s*)+)$")


async def torture(folder: Path, count: int, seed: int) -> Found:
    """Look at all of it; there is nothing to repeat."""
    found = Found(seed)
    for lock in LOCKS:
        unpinned = without_hash(lock.read_text(encoding="utf-8"))
        found.counts["locks"] += 1
        found.expect(not unpinned, f"{lock.name}: {unpinned[:3]}")
    found.faults += strange_starters(folders())
    return found


def without_hash(lock: str) -> list[str]:
    """Return the entries of a lock that are not one exact version with at least one SHA-256."""
    text = "\n".join(line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    entries = re.split(r"\n(?=\S)", text) if text else []
    return [entry.splitlines()[0] for entry in entries if not entry.startswith("--") and not PIN.match(entry)]


def folders() -> list[Path]:
    return [Path(each) for each in site.getsitepackages() if Path(each).is_relative_to(sys.prefix)]


def strange_starters(places: list[Path]) -> list[str]:
    """Return every ``.pth`` that runs code at the start of Python and that nobody listed."""
    return [
        f"{path} runs code whenever Python starts: {line[:80]}"
        for place in places
        for path in sorted(place.glob("*.pth"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.startswith(("import ", "import\t")) and not _known(path)
    ]


def _known(path: Path) -> bool:
    known = PTH_KNOWN.get(path.name)
    return known is not None and known in {"", hashlib.sha256(path.read_bytes()).hexdigest()}


async def test_every_dependency_is_one_version_with_its_hash(yard: Path) -> None:
    found = await torture(yard, 1, 23)
    assert found.counts["locks"] >= 3
    assert not found.faults, found


def test_a_loose_entry_in_a_lock_is_noticed() -> None:
    good = "aiohttp==3.14.5 \\\n    --hash=sha256:" + "a" * 64
    assert without_hash(good) == []
    for bad in ("aiohttp==3.14.5", "aiohttp>=3", "aiohttp @ https://x.example/a.whl", good.replace("a" * 64, "a" * 63)):
        assert without_hash(f"{good}\n{bad}\n") != []


def test_a_starter_that_nobody_listed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_text("import os; os.system('true')\n")
    (tmp_path / "paths.pth").write_text("/somewhere\n")
    (tmp_path / "urllib3_future.pth").write_text("import os; os.system('a known name with other words')\n")
    assert len(strange_starters([tmp_path])) == 2


def test_the_lock_is_asked_for_with_hashes_wherever_it_is_installed() -> None:
    for name in ("Makefile", "docker/Dockerfile"):
        path = ROOT / name
        if not path.exists():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"-r \S*\.lock", line):
                assert "--require-hashes" in line, f"{name}: {line.strip()}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "127.0.0.1"])
@pytest.mark.parametrize("key", ["", "short", "x" * 15])
def test_no_address_is_listened_on_without_a_key(host: str, key: str) -> None:
    with pytest.raises(OpenDoorError, match="key"):
        Door(host, key)
    Door(host, "x" * 16)

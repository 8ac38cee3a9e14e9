"""A folder in memory where there is one: torture opens hundreds of houses, and every commit waits for its disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 2 << 30  # bytes for several rows side by side; a container has 64 MB unless told otherwise


def yard_in(base: Path | None = None) -> Path:
    """Make a folder for one row."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix="soloist-torture-", dir=base or (MEMORY if roomy else None)))


@pytest.fixture
def yard() -> Iterator[Path]:
    folder = yard_in()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)

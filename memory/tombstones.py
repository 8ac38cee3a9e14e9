"""The list of what was forgotten, beside the database: a restored backup must not bring it back.

A text file, ``forgotten``: the key of the record numbers on the first line, then one number a line. A number is a keyed
hash of a record; it says nothing about the text and finds it again when a backup or a replay brings it. Keep this file
when restoring; `memory.recall.Memory.open` does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


class ForeignTombstonesError(Exception):
    """The folder belongs to another database."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is the list of what another database forgot. Nothing was opened: give this one its own folder, or "
            "restore the database that belongs to it."
        )


class TombstoneFile:
    """Append-only, fsynced; a torn last line is passed over, because its number is written again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "forgotten"

    def _lines(self) -> list[bytes]:
        # A line counts when its end was written too.
        return self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []

    def secret(self) -> bytes:
        """Return the key of the numbers, b"" when there is no list yet."""
        lines = self._lines()
        return bytes.fromhex(lines[0].decode()) if lines else b""

    def numbers(self) -> set[int]:
        """Return every number on the list."""
        return {int(line) for line in self._lines()[1:] if line.lstrip(b"-").isdigit()}

    def begin(self, key: bytes) -> None:
        """Start the list with its key.

        Raises:
            ForeignTombstonesError: It was started with another one.
        """
        if (there := self.secret()) and there != key:
            raise ForeignTombstonesError(self.path)
        if not there:
            self._append(key.hex().encode() + b"\n", fresh=True)

    def add(self, key: bytes, numbers: Sequence[int]) -> None:
        """Put numbers on the list, on disk when this returns."""
        self.begin(key)
        # A torn last line, if any, is closed first, so that it does not swallow this one.
        self._append(b"\n" + b"".join(b"%d\n" % number for number in numbers))

    def _append(self, data: bytes, *, fresh: bool = False) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if fresh else os.O_APPEND), 0o600)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Content-addressed files: what a card shows is what is sent, because both name it by its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def write_privately(path: Path, content: bytes) -> None:
    """Put a file in place whole, readable by its owner alone: after a crash it is the old one or the new one.

    Raises:
        OSError: The disk would not take it; the old one is there.
    """
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without it a power cut may bring the old name back
    finally:
        os.close(folder)


class FileGoneError(KeyError):
    """A file that a card or a message names is not there any more, or is not what it was."""

    def __init__(self, sha256: str, why: str) -> None:
        super().__init__(f"The file {sha256[:12]}… {why}. Restore it from a backup, or make the document again.")

    def __str__(self) -> str:
        return str(self.args[0])


class FileStore:
    """A folder of files by SHA-256, two letters a subfolder. Serves `connectors.base.Files`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the bytes with this digest are kept.

        Raises:
            FileGoneError: ``sha256`` is not a digest; nothing outside the folder can be named.
        """
        if len(sha256) != 64 or not all(letter in "0123456789abcdef" for letter in sha256):  # noqa: PLR2004 - SHA-256
            raise FileGoneError(sha256, "has no proper name")
        return self._folder / sha256[:2] / sha256

    def put(self, content: bytes) -> str:
        """Keep bytes durably and return their digest; the same bytes twice are one file."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path(sha256)
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes.

        Raises:
            FileGoneError: They are gone, or are not what they were.
        """
        path = self.path(sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise FileGoneError(sha256, "is gone") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileGoneError(sha256, "was changed after it was written")
        return content

    def forget(self, sha256: str) -> None:
        """Delete a file for good; harmless when it is gone."""
        self.path(sha256).unlink(missing_ok=True)

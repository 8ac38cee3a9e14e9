"""Files that are there whole after a power cut, or not at all: letters, orders, notes, tokens.

Any connector may import this file, as it may `connectors.client`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from connectors.base import TryLaterError


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place, readable by its owner alone; its folder is made where it is missing.

    Raises:
        OSError: The disk would not take it; what was there is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)


def keep_note(path: Path, kept: Mapping[str, object]) -> None:
    """Write down as JSON what a connector has to know at its next start.

    Raises:
        TryLaterError: It cannot be written.
    """
    try:
        write_whole(path, json.dumps(kept).encode())
    except OSError as error:
        raise TryLaterError(f"{path} cannot be written ({error.strerror}). Make room for it.") from None

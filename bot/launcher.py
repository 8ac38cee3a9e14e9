"""Entry point of the installed wheel: puts our rooms first on the path, then starts as usual."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Start Soloist from ``site-packages/soloist``."""
    sys.path.insert(0, str(Path(__file__).parent / "rooms"))
    from bot.cli import main as start

    start()


if __name__ == "__main__":
    main()

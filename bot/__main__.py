"""``python -m bot``: in the environment that ``make run`` set up, also when another Python was called."""

import os
import sys
from pathlib import Path

OWN = Path(__file__).parent.parent / ".venv"


def start() -> None:
    """Start; when this Python lacks what Soloist needs, hand over to the one of ``make setup``."""
    try:
        from bot.cli import main
    except (ImportError, SyntaxError) as error:  # SyntaxError: a Python that is too old for our words
        python = OWN / "bin" / "python"
        if Path(sys.prefix) == OWN or not python.exists():
            sys.exit(f"soloist: {error}. This Python is not set up for Soloist: run 'make setup', then try again.")
        os.execv(python, [str(python), "-m", "bot", *sys.argv[1:]])  # noqa: S606 - no shell
    main()


if __name__ == "__main__":
    start()

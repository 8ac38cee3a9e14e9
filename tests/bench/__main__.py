"""``make bench``: every bench, ours beside the peers, one table each. ``ARGS="core recall_quality"`` chooses."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = str(ROOT / ".models" / "minilm")
PEERS = str(ROOT / ".venv" / "peers" / "bin" / "python")
SIZES = ("--sizes", "100000", "1000", "1000000")  # the peers take the first one

BENCHES: dict[str, list[list[str]]] = {
    "core": [["tests.bench.core"], ["tests.bench.core", "--fsync-ms", "4"]],
    "recall_quality": [["tests.bench.recall_quality", "--model", MODEL]],
    "recall_scale": [["tests.bench.recall_scale", "--model", MODEL, *SIZES, "--peers", PEERS, "--mem0", PEERS]],
    "intents": [["tests.bench.intents_bench", MODEL]],
    "slack": [["tests.bench.slack_echo"]],
    "telegram": [["tests.bench.telegram_echo"]],
    "tokens": [["tests.bench.tokens"]],
}
"""Name → commands. Each is a module with its own ``--help``."""


def main() -> int:
    """Run the chosen benches one after the other: they would only slow each other down."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(BENCHES)}; default: all")
    names = parser.parse_args().names or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    missed = []
    for name in names:
        for command in BENCHES[name]:
            print(f"\n── {' '.join(command)} ──", flush=True)
            if subprocess.run([sys.executable, "-m", *command], check=False).returncode:
                missed.append(name)
    if missed:
        print(f"\nBars missed or not run: {', '.join(dict.fromkeys(missed))}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

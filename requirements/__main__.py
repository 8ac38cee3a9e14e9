"""Pins every dependency anew, for every platform, with hashes and without naming a registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMPILE = (
    "uv", "pip", "compile", "-q", "--universal", "--generate-hashes", "--no-annotate", "--no-header",
    "--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11",
    # torch has a lock of its own: the ordinary index gives the CUDA build.
    "--override", "requirements/no-torch.txt",
)  # fmt: skip
DEV = "requirements/dev.lock"
LOCKS = (
    (DEV, ("--extra", "models", "--extra", "postgres", "--group", "dev")),
    ("requirements/run.lock", ("-c", DEV)),
    ("requirements/models.lock", ("--extra", "models", "-c", DEV)),
)


def main() -> None:
    """Write every lock; stop at the first that cannot be resolved."""
    tools = Path(sys.executable).parent
    for lock, options in LOCKS:
        subprocess.run([tools / COMPILE[0], *COMPILE[1:], "pyproject.toml", *options, "-o", lock], check=True)
        print(lock)
    # Peers stand beside us, in an environment of their own: what they need must not bend what we need.
    subprocess.run([tools / COMPILE[0], *COMPILE[1:], "--group", "bench", "-o", "requirements/bench.lock"], check=True)
    print("requirements/bench.lock")


if __name__ == "__main__":
    main()

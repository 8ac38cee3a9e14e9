"""The full test matrix: ``python -m tests.torture [--only T3,T6] [--full] [--count N] [--seed N]``.

Each row runs in its CI form, or with ``--full`` in the form of the matrix, from a seed that is printed and written down,
so that any failure happens again. What came of it is written to ``results/torture-<date>.json``. Exit status 1 when a
row has a fault.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import shutil
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.torture import kill
from tests.torture.bare import Found
from tests.torture.conftest import yard_in

ROOT = Path(__file__).resolve().parents[2]
FAULTS_KEPT = 50  # of one row, in the results file


@dataclass(frozen=True)
class Row:
    """One row of the matrix: which file, how much of it in CI and in full, and what is counted."""

    number: str
    module: str
    ci: int
    full: int
    unit: str


ROWS = (
    Row("T1", "", 300, 5_000, "kills"),
    Row("T1B", "test_t01_deeds", 1, 20, "times every point of every action"),
    Row("T2", "test_t02_power_loss", 20, 500, "points"),
    Row("T3", "test_t03_disk", 50, 1_000, "injections"),
    Row("T4", "test_t04_duplicates", 2_000, 20_000, "events"),
    Row("T5", "test_t05_order", 500, 10_000, "histories"),
    Row("T6", "test_t06_races", 1_000, 10_000, "races"),
    Row("T7", "test_t07_mutation", 3, 170, "times every field"),
    Row("T8", "test_t08_cards", 2_000, 20_000, "payloads on each channel"),
    Row("T9", "test_t09_forgery", 10, 200, "times every kind"),
    Row("T10", "test_t10_injection", 800, 15_000, "documents"),
    Row("T12", "test_t12_exfiltration", 200, 2_000, "messages on each channel"),
    Row("T13", "test_t13_malformed", 2_500, 100_000, "lines and presses"),
    Row("T13B", "test_t13_doors", 60, 10_000, "at each of six doors, over the wire"),
    Row("T14", "test_t14_replay", 100, 1_000, "captures"),
    Row("T15", "test_t15_storms", 500, 10_000, "sends"),
    Row("T15B", "test_t15_connectors", 500, 10_000, "sends through connectors"),
    Row("T16", "test_t16_clock", 200, 1_000, "jumps"),
    Row("T17", "test_t17_lost_memory", 50, 500, "points"),
    Row("T18", "test_t18_restore", 10, 200, "restores"),
    Row("T19", "test_t19_limits", 200, 1_000, "sequences"),
    Row("T20", "test_t20_batch", 200, 2_000, "batches"),
    Row("T21", "test_t21_secrets", 50_000, 1_000_000, "log lines"),
    Row("T22", "test_t22_forgetting", 5, 100, "people, and kills"),
    Row("T23", "test_t23_supply", 1, 1, "look"),
    Row("T24", "test_t24_twins", 1, 1, "time every twin"),
    Row("T24B", "mutants", 20, 1_000, "mutants"),
    Row("T25", "test_t25_simulation", 300, 10_000, "seeds"),
    Row("T26", "test_t26_soak", 60, 7 * 24 * 60, "minutes"),
)


def main(argv: list[str]) -> int:
    """Run the rows, print a line for each, write the results."""
    arguments = _parser().parse_args(argv)
    wanted = {name.strip().upper() for name in arguments.only.split(",") if name.strip()}
    unknown = wanted - {row.number for row in ROWS}
    if unknown:
        print(f"There is no row {', '.join(sorted(unknown))}. Rows here: {', '.join(row.number for row in ROWS)}.")
        return 2
    logging.disable(logging.CRITICAL)  # faults are counted; the noise they make on the way is not looked at
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    results = []
    for row in ROWS:
        if wanted and row.number not in wanted:
            continue
        count = arguments.count or (row.full if arguments.full else row.ci)
        results.append(_run(row, count, seed))
        _write(results, seed, full=arguments.full, folder=Path(arguments.results))
    bad = sum(bool(each["faults"]) for each in results)
    print(f"{len(results)} rows, {bad} with faults, seed {seed}.")
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="rows, separated by commas: T3,T6")
    parser.add_argument("--full", action="store_true", help="the full form of the matrix instead of the short one")
    parser.add_argument("--count", type=int, help="how much of each row, instead of either form")
    parser.add_argument("--seed", type=int, help="make it happen again; default: the time")
    parser.add_argument("--results", default=str(ROOT / "results"), help="where the results are written")
    return parser


async def _killed(folder: Path, count: int, seed: int) -> Found:
    """T1: its harness has a verdict of its own."""
    verdict = await kill.torture(folder, count, seed)
    found = Found(seed, faults=list(verdict.faults))
    found.counts["kills"] = verdict.kills
    for name in ("points", "wishes", "unknown", "effects"):
        found.counts.update({f"{name} {key}": number for key, number in getattr(verdict, name).items()})
    return found


def _run(row: Row, count: int, seed: int) -> dict[str, object]:
    print(f"{row.number:>4}  {count} {row.unit} ...", end="", flush=True)
    torture = importlib.import_module(f"tests.torture.{row.module}").torture if row.module else _killed
    folder = yard_in()
    (folder / "row").mkdir()
    began = time.monotonic()
    try:
        if row.number == "T21":  # it reads what is logged
            logging.disable(logging.NOTSET)
        found = asyncio.run(torture(folder / "row", count, seed))
    except Exception as error:
        found = Found(seed, faults=[f"broke: {type(error).__name__}: {error}", *traceback.format_exception(error)])
    finally:
        logging.disable(logging.CRITICAL)
        shutil.rmtree(folder, ignore_errors=True)
    spent = time.monotonic() - began
    print(f" {len(found.faults)} faults, {spent:.0f} s  {dict(found.counts)}")
    for fault in found.faults[:5]:
        print(f"      {fault[:300]}")
    return {
        "row": row.number, "count": count, "unit": row.unit, "seed": seed, "seconds": round(spent, 1),
        "counts": dict(found.counts), "fault_count": len(found.faults), "faults": found.faults[:FAULTS_KEPT],
    }  # fmt: skip


def _write(results: list[dict[str, object]], seed: int, *, full: bool, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    made = {"at": now.isoformat(timespec="seconds"), "seed": seed, "form": "full" if full else "short", "rows": results}
    (folder / f"torture-{now:%Y-%m-%d}.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

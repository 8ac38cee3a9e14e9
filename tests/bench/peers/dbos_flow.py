"""DBOS on SQLite (WAL, synchronous=FULL), in its two forms. Runs in the peers' environment.

``clicked``: its best form: the message's workflow ends with the card, and the click starts a new workflow.
``waits``: one workflow that waits for the click in ``recv``, polled every 50 ms.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from tests.bench.measure import database_bytes, idle_cpu_pct, measure, report

COMMITS = [0]
SHOWN: dict[int, asyncio.Event] = {}
ACTED: dict[int, asyncio.Event] = {}


@DBOS.step()
async def understand(text: str) -> dict[str, str]:
    verb, _, body = text.partition(" ")
    return {"intent": verb, "body": body}


@DBOS.step()
async def show_card(number: int, reading: dict[str, str]) -> str:
    SHOWN[number].set()
    return f"card {number}: {reading['intent']}"


@DBOS.step()
async def act(number: int) -> str:
    ACTED[number].set()
    return f"done {number}"


@DBOS.workflow()
async def on_message(number: int, text: str) -> str:
    return await show_card(number, await understand(text))


@DBOS.workflow()
async def on_click(number: int) -> str:
    return await act(number)


@DBOS.workflow()
async def waits(number: int, text: str) -> str:
    await show_card(number, await understand(text))
    await DBOS.recv_async("click", timeout_seconds=86400)
    return await act(number)


class Flow:
    def __init__(self, form: str, path: Path) -> None:
        self.form, self.path = form, path
        self.handles: dict[int, Any] = {}

    async def message(self, number: int) -> None:
        SHOWN[number], ACTED[number] = asyncio.Event(), asyncio.Event()
        with SetWorkflowID(f"m{number}"):
            work = on_message if self.form == "clicked" else waits
            self.handles[number] = await DBOS.start_workflow_async(work, number, f"ask hello {number}")
        await SHOWN[number].wait()

    async def click(self, number: int) -> None:
        if self.form == "clicked":
            with SetWorkflowID(f"c{number}"):
                self.handles[number] = await DBOS.start_workflow_async(on_click, number)
        else:
            await DBOS.send_async(f"m{number}", "approve", "click")
        await ACTED[number].wait()

    async def done(self, number: int) -> None:
        await self.handles.pop(number).get_result()
        del SHOWN[number], ACTED[number]

    def commits(self) -> int:
        return COMMITS[0]

    def bytes_on_disk(self) -> int:
        return database_bytes(self.path)


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=20, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _tune(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "commit")
    def _count(_: object) -> None:
        COMMITS[0] += 1

    return engine


def _launch(path: Path) -> None:
    DBOS(config={
        "name": "bench", "system_database_engine": _engine(path), "system_database_url": f"sqlite:///{path}",
        "log_level": "ERROR", "notification_listener_polling_interval_sec": 0.05, "run_admin_server": False,
    })  # fmt: skip
    DBOS.launch()


def _many_waiting(path: Path, count: int) -> None:
    """Fill the database with waiting tasks by copying the rows of one that DBOS itself wrote."""
    with sqlite3.connect(path) as raw:
        template = f"m{999_000}"
        for table in ("workflow_status", "operation_outputs", "notifications", "workflow_events"):
            try:
                columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            except sqlite3.Error:
                continue
            key = "workflow_uuid" if "workflow_uuid" in columns else None
            if key is None:
                continue
            rows = raw.execute(f"SELECT * FROM {table} WHERE {key} = ?", (template,)).fetchall()
            at = columns.index(key)
            marks = ",".join("?" * len(columns))
            fresh = [
                tuple(f"w{n}" if i == at else value for i, value in enumerate(row))
                for n in range(count)
                for row in rows
            ]
            raw.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", fresh)
    raw.close()


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    folder = Path(plan["folder"])
    path = folder / f"dbos-{plan['form']}.db"
    if plan.get("start"):
        began = time.perf_counter()
        _launch(path)
        flow = Flow(plan["form"], path)
        await flow.message(990_000 + int(time.time()) % 1000)
        return {"start s": time.perf_counter() - began, "idle cpu %": await idle_cpu_pct()}
    _launch(path)
    flow = Flow(plan["form"], path)
    found = await measure(flow, alone=plan["alone"], together=plan["together"], crowds=tuple(plan["crowds"]))
    await flow.message(999_000)
    await asyncio.sleep(0.3)
    _many_waiting(path, plan["waiting"])
    return found


if __name__ == "__main__":
    report(run)

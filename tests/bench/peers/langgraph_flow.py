"""LangGraph with AsyncSqliteSaver (WAL, synchronous=FULL): interrupt at the card, resume at the click."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, TypedDict

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from tests.bench.measure import database_bytes, idle_cpu_pct, measure, report

COMMITS = [0]
ACTED: dict[int, asyncio.Event] = {}


class State(TypedDict, total=False):
    number: int
    text: str
    intent: str
    card: str
    answer: str
    receipt: str


async def understand(state: State) -> State:
    verb, _, _ = state["text"].partition(" ")
    return {"intent": verb}


async def show_card(state: State) -> State:
    return {"card": f"card {state['number']}: {state['intent']}"}


async def wait(_: State) -> State:
    return {"answer": interrupt("approve?")}


async def act(state: State) -> State:
    ACTED[state["number"]].set()
    return {"receipt": f"done {state['number']}"}


def _graph(saver: AsyncSqliteSaver) -> Any:
    graph = StateGraph(State)
    steps = (("understand", understand), ("show_card", show_card), ("wait", wait), ("act", act))
    before = START
    for name, step in steps:
        graph.add_node(name, step)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph.compile(checkpointer=saver)


class Flow:
    def __init__(self, graph: Any, path: Path) -> None:
        self.graph, self.path = graph, path
        self.running: dict[int, asyncio.Task[Any]] = {}

    def _thread(self, number: int) -> dict[str, Any]:
        return {"configurable": {"thread_id": str(number)}}

    async def message(self, number: int) -> None:
        ACTED[number] = asyncio.Event()
        await self.graph.ainvoke(
            {"number": number, "text": f"ask hello {number}"}, self._thread(number), durability="sync"
        )

    async def click(self, number: int) -> None:
        resumed = self.graph.ainvoke(Command(resume="approve"), self._thread(number), durability="sync")
        self.running[number] = asyncio.ensure_future(resumed)
        await ACTED[number].wait()

    async def done(self, number: int) -> None:
        await self.running.pop(number)
        del ACTED[number]

    def commits(self) -> int:
        return COMMITS[0]

    def bytes_on_disk(self) -> int:
        return database_bytes(self.path)


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    path = Path(plan["folder"]) / "langgraph.db"
    began = time.perf_counter()
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        commit = connection.commit

        async def counted() -> None:
            COMMITS[0] += 1
            await commit()

        connection.commit = counted  # type: ignore[method-assign]
        flow = Flow(_graph(AsyncSqliteSaver(connection)), path)
        if plan.get("start"):
            await flow.message(990_000)
            return {"start s": time.perf_counter() - began, "idle cpu %": await idle_cpu_pct()}
        found = await measure(flow, alone=plan["alone"], together=plan["together"], crowds=tuple(plan["crowds"]))
        await flow.message(999_000)
        await _many_waiting(connection, plan["waiting"])
        return found


async def _many_waiting(connection: aiosqlite.Connection, count: int) -> None:
    """Fill the database with waiting threads by copying the rows of one that LangGraph itself wrote."""
    for table in ("checkpoints", "writes"):
        cursor = await connection.execute(f"SELECT * FROM {table} WHERE thread_id = '999000'")
        names = [column[0] for column in cursor.description]
        rows = await cursor.fetchall()
        at = names.index("thread_id")
        marks = ",".join("?" * len(names))
        fresh = (tuple(f"w{n}" if i == at else v for i, v in enumerate(row)) for n in range(count) for row in rows)
        await connection.executemany(f"INSERT INTO {table} VALUES ({marks})", fresh)
    await connection.commit()


if __name__ == "__main__":
    report(run)

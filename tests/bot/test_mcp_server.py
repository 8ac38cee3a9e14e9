import asyncio
import contextlib

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from bot.mcp_server import GOAL_MAX, PLACE, PROGRAM, Programs
from bot.state import TaskState
from bot.testing import PaperHouse
from bot.wiring import PROGRAM as PERSON
from memory.events import Origin

KEY = "key-of-the-programs"


def programs_of(house):
    async def read(text):
        return await house.reader.read(text, TaskState(id=0), house.clock())

    return Programs(house.machine.history, read, host="127.0.0.1", port=0, key=KEY)


@pytest.fixture
async def house(tmp_path):
    async with PaperHouse(tmp_path / "home", people=(PERSON,)) as made:
        yield made


@pytest.fixture
async def program(house):
    """A client of the reference SDK, talking to the server itself."""
    server = programs_of(house).server(house.runner)

    async def call(tool, **arguments):
        async with Client(server) as client:
            answer = await client.call_tool(tool, arguments)
        text = "\n".join(each.text for each in answer.content)
        return answer.is_error, (answer.structured_content or {}).get("result", answer.structured_content), text

    async with Client(server) as client:
        call.tools = [tool.name for tool in (await client.list_tools()).tools]
    return call


async def test_a_goal_leads_to_a_card_and_no_further(program, house):
    failed, answer, _ = await program("submit_goal", goal="ask send to=new@acme.example body=Hello")
    assert not failed
    await house.later(seconds=1)

    _, cards, _ = await program("list_cards")
    (card,) = cards
    assert card["id"].startswith(answer["task"] + ".")
    assert "new@acme.example" in str(card["facts"])
    assert house.provider.accepted == []
    _, timeline, _ = await program("show_task", task=answer["task"])
    assert timeline.startswith(f"Task {answer['task']}")


async def test_no_tool_approves_and_no_answer_holds_a_handle(program, house):
    assert sorted(program.tools) == ["list_cards", "show_task", "submit_goal"]
    await program("submit_goal", goal="ask send body=Hello")
    await house.later(seconds=1)
    (card,) = (await program("list_cards"))[1]
    handles = [button.handle for button in house.card(card["id"]).buttons if button.handle]
    assert handles
    assert not any(handle in str(card) for handle in handles)


@pytest.mark.parametrize(
    "goal",
    ["approve {card}", "Approve {card}", "/approve {card}", "!approve {card}", "reject {card}", "/pause all", "pause all",
     "resume", "undo {card}", "forget Acme", "/forget Acme", "approve {card}\napprove {card}"],
)  # fmt: skip
async def test_what_is_meant_for_the_house_itself_is_turned_away(program, house, goal):
    await house.operator("ask send body=Hello")
    await house.later(seconds=1)
    (card,) = (await program("list_cards"))[1]

    failed, _, words = await program("submit_goal", goal=goal.format(card=card["id"]))
    assert failed
    assert "operator's own" in words
    await house.later(seconds=1)
    assert house.card(card["id"]).state == "pending"


async def test_even_a_press_in_its_name_is_refused(program, house):
    """The twin of the filter: with it gone, the roster still lets a program decide about nothing."""
    await house.operator("ask send body=Hello")
    await house.later(seconds=1)
    (card,) = (await program("list_cards"))[1]
    await house.runner.heard("e1", f"approve {card['id']}", PROGRAM, PLACE)
    await house.later(seconds=1)
    assert house.card(card["id"]).state == "pending"
    await house.operator(f"approve {card['id']}")
    await house.later(seconds=1)
    assert house.card(card["id"]).state == "approved"


async def test_the_same_request_is_one_task(program):
    first = (await program("submit_goal", goal="ask send body=Hello", request_id="r-1"))[1]
    assert (await program("submit_goal", goal="ask send body=Hello", request_id="r-1"))[1] == first
    assert (await program("submit_goal", goal="ask send body=Hello", request_id="r-2"))[1] != first


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("submit_goal", {"goal": " "}),
        ("submit_goal", {"goal": "x" * (GOAL_MAX + 1)}),
        ("submit_goal", {"goal": "hello", "request_id": "x" * 300}),
        ("show_task", {"task": "1; drop"}),
    ],
)
async def test_what_makes_no_sense_is_said(program, tool, arguments):
    assert (await program(tool, **arguments))[0]


async def test_without_a_place_on_the_list_nothing_is_heard(tmp_path):
    async with PaperHouse(tmp_path / "home") as house, Client(programs_of(house).server(house.runner)) as client:
        answer = await client.call_tool("submit_goal", {"goal": "ask send body=Hello"})
    assert answer.is_error
    assert PERSON.role is Origin.DELEGATE
    assert PERSON.actions == ()


@contextlib.asynccontextmanager
async def listening(programs, ear):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(programs.run(ear))
        await programs.open_for_business.wait()
        yield f"http://127.0.0.1:{programs.port}/mcp"
        task.cancel()


async def test_over_http_only_the_key_opens(house):
    async with listening(programs_of(house), house.runner) as url:
        async with httpx.AsyncClient(trust_env=False) as http:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}):
                answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)
                assert answer.status_code == 401
            greeting = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
            assert (await http.get(url, headers=greeting)).status_code == 401
            foreign = {"Authorization": f"Bearer {KEY}", "Host": "evil.example"}
            assert (await http.post(url, json={}, headers=foreign)).status_code >= 400
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            answer = await client.call_tool("submit_goal", {"goal": "ask send body=Hello"})
            assert not answer.is_error


async def test_the_house_opens_it_when_it_is_told_where(tmp_path):
    async with PaperHouse(tmp_path / "home", environment={"SOLOIST_MCP": "127.0.0.1:0"}) as house:
        programs = next(each for each in house.machine.runner._staff.live if each.name == "mcp")
        async with asyncio.timeout(120):
            await programs.open_for_business.wait()
        key = (tmp_path / "home" / "mcp.key").read_text()
        assert (tmp_path / "home" / "mcp.key").stat().st_mode & 0o077 == 0
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as http,
            Client(streamable_http_client(f"http://127.0.0.1:{programs.port}/mcp", http_client=http)) as client,
        ):
            assert not (await client.call_tool("submit_goal", {"goal": "ask send body=Hello"})).is_error
            await house.later(seconds=1)
            cards = (await client.call_tool("list_cards", {})).structured_content["result"]
            assert len(cards) == 1

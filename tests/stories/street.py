"""The whole house on a street of real protocols, and the operator's phone in two makes.

Understanding, agents, books, cards and mail are real; mail goes to a real SMTP server; Slack is Bolt against a real
workspace, Telegram python-telegram-bot against a judged double. A story is told to a `Phone` and does not know which::

    async with street(folder, slack=workspace) as there:
        await there.phone.says("invoice Acme 1,200 for the March retainer, net 14")
        await there.phone.presses("Approve")

Time is paper: pauses pass at once, hours when the story says so (``there.house.later``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bot.testing import PaperClock, PaperHouse
from tests.counterparts.slack import ALICE, APP_TOKEN, BOT_TOKEN, TEAM, Edge, LocalSlack
from tests.counterparts.smtp import PostOffice
from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.counterparts.telegram_ear import QuickClock


@dataclass
class HousePace(QuickClock):
    """Pauses pass at once; the hour is the house's own."""

    clock: PaperClock = field(default_factory=PaperClock)

    def now(self) -> Any:
        return self.clock.at


@dataclass(frozen=True)
class Seen:
    """One message as it stands on a phone now."""

    ref: Any
    text: str
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    blocks: tuple[dict[str, Any], ...] = field(default=(), compare=False)  # Slack's

    @property
    def is_card(self) -> bool:
        return "Asked because" in self.text or "Card " in self.text or self.text.startswith("🗂")


class Phone(Protocol):
    """What a person can do with a chat, and see in it."""

    name: str

    async def says(self, text: str) -> None: ...
    async def commands(self, text: str) -> None: ...
    async def replies(self, text: str) -> None: ...
    async def sends(self, name: str, content: bytes, text: str = "") -> None: ...
    async def presses(self, label: str, on: Seen | None = None) -> str: ...
    async def rejects(self, reason: str) -> str: ...
    async def snoozes(self, span: str) -> str: ...
    async def edits(self, label: str, was: str, now: str) -> None: ...
    async def seen(self) -> list[Seen]: ...
    async def file(self, name: str) -> bytes: ...


async def card(phone: Phone, words: str = "") -> Seen:
    """Return the newest card, or the newest that says something."""
    found = [each for each in await phone.seen() if each.is_card and words in each.text]
    assert found, f"no card with {words!r} on {phone.name}: {await phone.seen()}"
    return found[-1]


async def words(phone: Phone) -> str:
    """Return everything that stands there, for looking something up in."""
    return "\n".join(each.text for each in await phone.seen())


# ── Slack ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class SlackPhone:
    """Alice's direct messages with the bot."""

    slack: LocalSlack
    settled: Callable[[], Any]
    user: str = ALICE
    name: str = "slack"
    dm: str = ""

    async def _there(self) -> str:
        self.dm = self.dm or await self.slack.dm(self.user)
        return self.dm

    async def says(self, text: str) -> None:
        await self.slack.control("message", channel=await self._there(), user=self.user, text=text)
        await self.settled()

    async def commands(self, text: str) -> None:
        await self.slack.control(
            "command", channel=await self._there(), user=self.user, command="/solo", text=text.removeprefix("/")
        )
        await self.settled()

    async def replies(self, text: str) -> None:
        ref = (await card(self)).ref
        there = await self._there()
        await self.slack.control("message", channel=there, user=self.user, text=text, thread_ts=ref)
        await self.settled()

    async def sends(self, name: str, content: bytes, text: str = "") -> None:
        await self.slack.upload(await self._there(), self.user, text, name, content)
        await self.settled()

    async def presses(self, label: str, on: Seen | None = None) -> str:
        return await self._acts(on or await card(self), lambda e: _label(e) == label, None)

    async def rejects(self, reason: str) -> str:
        return await self._chooses("reject-menu", reason)

    async def snoozes(self, span: str) -> str:
        return await self._chooses("snooze-menu", span)

    async def _chooses(self, action: str, label: str) -> str:
        return await self._acts(await card(self), lambda e: str(e["action_id"]).startswith(action), label)

    async def _acts(self, on: Seen, is_it: Callable[[dict[str, Any]], bool], option: str | None) -> str:
        there = await self._there()
        standing = await self.slack.messages(there)
        before = {message["ts"] for message in standing if _is_aside(message)}
        message = next(each for each in standing if each["ts"] == on.ref)
        # What a finger is already on is pressed, whatever stands there by now.
        for block in (*message["blocks"], *on.blocks):
            for element in block.get("elements", ()) if block["type"] == "actions" else ():
                if not is_it(element):
                    continue
                action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
                if option is None:
                    action["value"] = element["value"]
                else:
                    action["selected_option"] = next(o for o in element["options"] if o["text"]["text"] == option)
                await self.slack.control("interact", channel=there, messageTs=on.ref, user=self.user, action=action)
                await self.settled()
                asides = [each for each in await self.slack.messages(there) if _is_aside(each)]
                return " ".join(each["text"] for each in asides if each["ts"] not in before)
        raise AssertionError(f"no such button: {json.dumps(message['blocks'])[:2000]}")

    async def edits(self, label: str, was: str, now: str) -> None:
        async with self.slack.window() as window:
            await self.presses("Edit")
            event = await window.until("view", lambda event: bool(event.get("view") or event.get("stack")))
            view = event.get("view") or event["stack"][-1]
            values = {}
            for block in view["blocks"]:
                if block["type"] == "input":
                    value = block["element"].get("initial_value", "")
                    if block["label"]["text"] == label:
                        assert was in value, value
                        value = value.replace(was, now)
                    values[block["block_id"]] = {"value": {"type": "plain_text_input", "value": value}}
            await window.send(t="view_submit", user=self.user, values=values)
            await window.until("view")
        await self.settled()

    async def seen(self) -> list[Seen]:
        found = []
        for message in await self.slack.messages(await self._there()):
            if message.get("user") == self.user or _is_aside(message):
                continue
            texts = [text for block in message.get("blocks", ()) for text in _texts(block)]
            labels = [
                _label(element)
                for block in message.get("blocks", ())
                if block["type"] == "actions"
                for element in block["elements"]
            ]
            files = tuple(file["name"] for file in message.get("files", ()))
            text = "\n".join(texts) or message.get("text", "")
            found.append(Seen(message["ts"], text, tuple(labels), files, tuple(message.get("blocks") or ())))
        return found

    async def file(self, name: str) -> bytes:
        for message in reversed(await self.slack.messages(await self._there())):
            for file in message.get("files", ()):
                if file["name"] == name:
                    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
                    async with self.slack.http.get(file["url_private"], headers=headers) as answer:
                        return await answer.read()
        raise AssertionError(name)


def _label(element: dict[str, Any]) -> str:
    return str((element.get("text") or element.get("placeholder") or {}).get("text", ""))


def _texts(block: dict[str, Any]) -> list[str]:
    parts = [block.get("text"), *block.get("fields", ())]
    parts += block.get("elements", ()) if block["type"] == "context" else ()
    return [str(part["text"]) for part in parts if part and isinstance(part.get("text"), str)]


def _is_aside(message: dict[str, Any]) -> bool:
    return message.get("subtype") == "ephemeral"


# ── Telegram ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class TelegramPhone:
    """Ada's private chat with the bot."""

    telegram: TelegramDouble
    settled: Callable[[], Any]
    user: int = OPERATOR
    name: str = "telegram"

    async def _taken(self) -> None:
        await self.telegram.until(lambda: not self.telegram.pending)
        await self.settled()

    async def says(self, text: str) -> None:
        self.telegram.user_says(text, user=self.user)
        await self._taken()

    async def commands(self, text: str) -> None:
        await self.says(text)

    async def replies(self, text: str) -> None:
        self.telegram.user_says(text, reply_to=(await card(self)).ref, user=self.user)
        await self._taken()

    async def sends(self, name: str, content: bytes, text: str = "") -> None:
        self.telegram.user_sends_document(content, name, "text/plain", caption=text, user=self.user)
        await self._taken()

    async def presses(self, label: str, on: Seen | None = None) -> str:
        query = self.telegram.user_presses((on or await card(self)).ref, label, user=self.user)
        answer = await self.telegram.until(lambda: query.answer)
        await self._taken()
        return str(answer.get("text", ""))

    async def rejects(self, reason: str) -> str:
        standing = await card(self)
        await self.presses("Reject", standing)
        return await self.presses(reason, standing)

    async def snoozes(self, span: str) -> str:
        standing = await card(self)
        await self.presses("Snooze", standing)
        return await self.presses(span, standing)

    async def edits(self, label: str, was: str, now: str) -> None:
        await self.presses("Edit")
        await self.telegram.until(lambda: self.telegram.texts(self.user)[-1].startswith("✏"))
        draft = self.telegram.shown(self.user)[-1]
        text = draft["text"].partition("\n\n")[2]
        assert was in text, text
        self.telegram.user_says(text.replace(was, now), reply_to=draft, user=self.user)
        await self._taken()

    async def seen(self) -> list[Seen]:
        return [
            Seen(
                message,
                message.get("text", message.get("caption", "")),
                tuple(self.telegram.labels(message)),
                (message["document"]["file_name"],) if "document" in message else (),
            )
            for message in self.telegram.shown(self.user)
        ]

    async def file(self, name: str) -> bytes:
        for call in reversed(self.telegram.calls):
            document = call.params.get("document")
            if call.method == "sendDocument" and getattr(document, "name", "") == name:
                return bytes(document.content)
        raise AssertionError(name)


# ── the street ────────────────────────────────────────────────────────────────────────────────────────────────────


SETTLED_S = 240.0  # what is not over then stands still; usually a second, on a busy machine a minute


class PatientHouse(PaperHouse):
    """A house that says to nobody that work takes a while, however slow this machine is; a story may ask for it."""

    def _build(self) -> None:
        super()._build()
        staff = self.runner._staff
        for whom, how_long in ((staff, "patience_s"), (staff.channels.get("telegram"), "_patience_s")):
            if whom is not None:
                assert hasattr(whom, how_long)
                setattr(whom, how_long, SETTLED_S)


@dataclass
class Street:
    """A house, its post office, and the phones of its operator."""

    house: PaperHouse
    post: PostOffice
    phones: list[Phone]
    edge: Edge | None = None
    telegram: TelegramDouble | None = None

    @property
    def phone(self) -> Phone:
        return self.phones[0]

    @property
    def sent(self) -> int:
        """How many mails the mail server took, by its own ledger."""
        return len(self.post.taken)

    async def settled(self) -> None:
        """Wait until everything is done that follows from what was typed and pressed so far."""
        channels = self.house.runner._staff.channels
        async with asyncio.timeout(SETTLED_S):
            while True:
                await self.house.runner.settled()
                asides = [task for channel in channels.values() for task in _asides(channel)]
                if not asides:
                    return
                await asyncio.wait(asides, timeout=10)

    async def later(self, **span: float) -> None:
        await self.house.later(**span)
        await self.settled()

    async def forgotten(self) -> None:
        """Wait until what was forgotten is overwritten where it stood."""
        await self.house.remembered()
        assert self.house.machine.copies is not None
        assert await self.house.machine.copies.overwrite() == 0
        await self.settled()

    async def restart(self) -> None:
        """Stop as a shutdown does, and come back; all phones are connected again."""
        await self.house.stop()
        await self.house.restart()
        await self.connected()

    async def restart_without_waiting(self) -> None:
        """The same while the platforms are away: what is owed to them stays owed."""
        await self.house.stop()
        self.house._build()
        ready = asyncio.Event()
        self.house._running = asyncio.ensure_future(self.house.runner.run(ready.set))
        async with asyncio.timeout(120):
            await ready.wait()

    async def connected(self) -> None:
        for name, channel in self.house.runner._staff.channels.items():
            if name == "slack":
                async with asyncio.timeout(120):
                    await channel.ready.wait()
                    while not channel._bot:  # noqa: ASYNC110 - over HTTP it listens before it knows itself
                        await asyncio.sleep(0.01)
        if self.telegram is not None:
            await self.telegram.until(lambda: self.telegram._polls or self.telegram.webhook["url"])
        await self.settled()


def _asides(channel: Any) -> list[asyncio.Task[Any]]:
    """What a channel does after it has acknowledged: the sentence for whoever pressed, a form, App Home."""
    group = getattr(getattr(channel, "_hearing", None), "group", None)
    return [task for task in getattr(group, "_tasks", ()) if not task.done()]


@contextlib.asynccontextmanager
async def street(
    folder: Path,
    *,
    slack: LocalSlack | None = None,
    telegram: TelegramDouble | None = None,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[Street]:
    """Open a house with a phone for each counterpart, Slack's first."""
    async with contextlib.AsyncExitStack() as stack:
        post = await stack.enter_async_context(PostOffice())
        values = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(post.port), "SMTP_SECURITY": "none",
            "MAIL_FROM": "Nora Lind <nora@lind-studio.example>",
        }  # fmt: skip
        edge = None
        if slack is not None:
            connector = aiohttp.TCPConnector(limit=0)
            slack.http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            await slack.control("reset")
            edge = await stack.enter_async_context(Edge(slack))
            values |= {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_BASE": edge.api}
            values |= {"SLACK_OPERATOR": f"{TEAM}:{ALICE}"}
        if telegram is not None:
            values |= {"TELEGRAM_TOKEN": telegram.token, "TELEGRAM_API_BASE": telegram.url}
            values |= {"TELEGRAM_OPERATOR": str(OPERATOR)}
        clock = PaperClock()
        house = PatientHouse(
            folder / "home", clock=clock, pace=HousePace(clock=clock), environment=values | (environment or {})
        )
        there = Street(house, post, [], edge, telegram)
        if slack is not None:
            there.phones.append(SlackPhone(slack, there.settled))
        if telegram is not None:
            there.phones.append(TelegramPhone(telegram, there.settled))
        await stack.enter_async_context(house)
        await there.connected()
        yield there
        if telegram is not None:
            assert telegram.complaints == []

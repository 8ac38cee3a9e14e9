"""The double answers as the Bot API does; aiogram, which is not ours, talks to it and reads every shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import BotCommand, BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup
from aiohttp import web

from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.counterparts.telegram_html import HtmlError, detected, parse


@pytest.fixture
async def double() -> AsyncIterator[TelegramDouble]:
    async with TelegramDouble() as double:
        yield double
        assert double.complaints == []


@pytest.fixture
async def bot(double: TelegramDouble) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(double.url))
    yield Bot(double.token, session=session)
    await session.close()


def keys(*data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=d[:10], callback_data=d) for d in data]])


async def test_a_message_goes_out_and_its_answer_comes_in(double: TelegramDouble, bot: Bot) -> None:
    assert (await bot.get_me()).id == double.bot_id
    sent = await bot.send_message(
        OPERATOR, "Hello <b>Ada</b> &amp; co", parse_mode="HTML", reply_markup=keys("yes", "no")
    )
    assert sent.text == "Hello Ada & co"
    double.user_says("hi", reply_to=double.shown()[0])
    query = double.user_presses(double.shown()[0], "yes")
    said, pressed = await bot.get_updates(timeout=5)
    assert said.message is not None
    assert said.message.reply_to_message is not None
    assert said.message.reply_to_message.message_id == sent.message_id
    assert pressed.callback_query is not None
    assert pressed.callback_query.data == "yes"
    await bot.answer_callback_query(pressed.callback_query.id, "done")
    assert query.answer == {"text": "done", "alert": False}
    assert await bot.set_my_commands([BotCommand(command="help", description="Help")])
    assert double.commands == [{"command": "help", "description": "Help"}]


async def test_updates_stay_until_a_higher_offset_confirms_them(double: TelegramDouble, bot: Bot) -> None:
    double.user_says("one")
    double.user_says("two")
    first = await bot.get_updates(timeout=1)
    assert first == await bot.get_updates(timeout=1)
    assert await bot.get_updates(offset=first[1].update_id, timeout=1) == first[1:]
    assert await bot.get_updates(offset=first[1].update_id + 1, timeout=0) == []
    double.redeliver()
    assert len(await bot.get_updates(offset=first[1].update_id + 1, timeout=0)) == 2, (
        "only what was served is confirmed"
    )


async def test_a_long_poll_waits_for_the_next_word(double: TelegramDouble, bot: Bot) -> None:
    poll = asyncio.ensure_future(bot.get_updates(timeout=5))
    await double.until(lambda: double.calls)
    assert not poll.done()
    double.user_says("at last")
    assert [update.message.text for update in await poll if update.message] == ["at last"]


async def test_two_who_poll_are_in_each_others_way(double: TelegramDouble, bot: Bot) -> None:
    poll = asyncio.ensure_future(bot.get_updates(timeout=5))
    await double.until(lambda: double.calls)
    await bot.get_updates(timeout=0)
    with pytest.raises(TelegramConflictError):
        await poll
    await bot.set_webhook("http://127.0.0.1:1/x")
    with pytest.raises(TelegramConflictError):
        await bot.get_updates(timeout=0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<b>x", "can't parse entities: Can't find end tag"),
        ("a < b", "can't parse entities: Unsupported start tag"),
        ("<div>x</div>", 'Unsupported start tag "div" at byte offset 0'),
        ("<b><i>x</b></i>", "Unmatched end tag"),
        (" ", "message text is empty"),
        ("<b> </b>", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("😀" * 2049, "message is too long"),
    ],
)
async def test_text_the_platform_would_refuse_is_refused(bot: Bot, text: str, reason: str) -> None:
    with pytest.raises(TelegramBadRequest, match=reason):
        await bot.send_message(OPERATOR, text, parse_mode="HTML")


async def test_length_counts_after_entities(bot: Bot) -> None:
    assert await bot.send_message(OPERATOR, "<b>" + "&lt;" * 4096 + "</b>", parse_mode="HTML")


@pytest.mark.parametrize("data", ["x" * 65, "é" * 33])
async def test_button_data_beyond_64_bytes_is_refused(bot: Bot, data: str) -> None:
    with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
        await bot.send_message(OPERATOR, "x", reply_markup=keys(data))
    assert await bot.send_message(OPERATOR, "x", reply_markup=keys("x" * 64))


async def test_edits_are_refused_where_nothing_changes_or_nothing_is_there(double: TelegramDouble, bot: Bot) -> None:
    sent = await bot.send_message(OPERATOR, "one", reply_markup=keys("a"))
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("one", chat_id=OPERATOR, message_id=sent.message_id, reply_markup=keys("a"))
    await bot.edit_message_text("two", chat_id=OPERATOR, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("two", chat_id=OPERATOR, message_id=sent.message_id)
    await bot.edit_message_reply_markup(chat_id=OPERATOR, message_id=sent.message_id, reply_markup=keys("b"))
    assert double.labels(double.shown()[0]) == ["b"]
    double.remove(double.shown()[0])
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await bot.edit_message_text("three", chat_id=OPERATOR, message_id=sent.message_id)
    mine = double.user_says("mine")
    with pytest.raises(TelegramBadRequest, match="can't be edited"):
        await bot.edit_message_text("yours", chat_id=OPERATOR, message_id=mine["message_id"])


async def test_a_press_is_answered_once_and_in_time(double: TelegramDouble, bot: Bot) -> None:
    await bot.send_message(OPERATOR, "one", reply_markup=keys("a"))
    late = double.user_presses(double.shown()[0], "a", stale=True)
    good = double.user_presses(double.shown()[0], "a")
    await bot.answer_callback_query(good.id)
    for query_id in (late.id, good.id, "unknown"):
        with pytest.raises(TelegramBadRequest, match="query is too old"):
            await bot.answer_callback_query(query_id)
    with pytest.raises(AssertionError, match="no button 'b'"):
        double.user_presses(double.shown()[0], "b")


async def test_files_travel_both_ways_within_their_limits(double: TelegramDouble, bot: Bot) -> None:
    double.user_sends_document(b"%PDF", "a.pdf", caption="look")
    (update,) = await bot.get_updates(timeout=1)
    assert update.message is not None
    assert update.message.document is not None
    file = await bot.get_file(update.message.document.file_id)
    content = await bot.download_file(str(file.file_path))
    assert content is not None
    assert content.read() == b"%PDF"
    sent = await bot.send_document(OPERATOR, BufferedInputFile(b"out", "out.txt"), caption="here")
    assert sent.document is not None
    assert double.files[sent.document.file_id].content == b"out"
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await bot.send_photo(OPERATOR, BufferedInputFile(b"no picture", "x.png"))
    double.user_sends_document(b"x" * 20_000_001, "big.bin")
    big = list(double.files)[-1]
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await bot.get_file(big)


async def test_faults_come_as_ordered(double: TelegramDouble, bot: Bot) -> None:
    double.fault("sendMessage", "429", retry_after=7)
    with pytest.raises(TelegramRetryAfter) as flood:
        await bot.send_message(OPERATOR, "x")
    assert flood.value.retry_after == 7
    double.fault("sendMessage", "500")
    with pytest.raises((TelegramServerError, TelegramNetworkError, ValueError, ClientDecodeError)):
        await bot.send_message(OPERATOR, "x")
    assert double.texts() == []
    double.fault("sendMessage", "drop", after=True)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(OPERATOR, "committed, and nobody was told")
    assert double.texts() == ["committed, and nobody was told"]
    double.block()
    with pytest.raises(TelegramForbiddenError, match="blocked by the user"):
        await bot.send_message(OPERATOR, "x")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(404, "x")
    double.revoke()
    with pytest.raises(TelegramUnauthorizedError):
        await bot.get_me()
    double.revoke(revoked=False)
    await double.vanish()
    with pytest.raises(TelegramNetworkError):
        await bot.get_me()
    await double.appear()
    assert await bot.get_me()


async def test_a_webhook_is_posted_to_with_the_secret_until_it_takes_it(double: TelegramDouble, bot: Bot) -> None:
    seen: list[str] = []
    answers = [503, 500, 200]

    async def take(request: web.Request) -> web.Response:
        seen.append(request.headers["X-Telegram-Bot-Api-Secret-Token"])
        return web.Response(status=answers[len(seen) - 1])

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    await bot.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="s3cret")
    assert (await bot.get_webhook_info()).url.endswith("/hook")
    double.user_says("hello")
    await double.until(lambda: not double.pending)
    assert seen == ["s3cret"] * 3
    assert [status for _, status in double.deliveries] == [503, 500, 200]
    await bot.delete_webhook()
    await runner.cleanup()


async def test_a_call_aiogram_would_not_make_is_complained_about() -> None:
    async with TelegramDouble() as double, aiohttp.ClientSession() as client:
        url = f"{double.url}/bot{double.token}/sendMessage"
        async with client.post(
            url, data={"chat_id": "7001", "text": "x", "link_preview_options": '{"disabled": true}'}
        ):
            pass
        async with client.post(url, data={"chat_id": "7001"}) as answer:
            assert answer.status == 400
        assert "unknown fields" in double.complaints[0]
        assert "sendMessage" in double.complaints[1]


def test_the_platforms_html_is_read_with_its_offsets() -> None:
    parsed = parse("  😀 <b>a &lt; b</b> <code>http://x.example</code> &nbsp; http://y.example ")
    assert parsed.text == "😀 a < b http://x.example &nbsp; http://y.example"
    assert parsed.entities == [{"type": "bold", "offset": 3, "length": 5}, {"type": "code", "offset": 9, "length": 16}]
    assert [entity["type"] for entity in detected(parsed)] == ["url"]
    with pytest.raises(HtmlError):
        parse("</b>")

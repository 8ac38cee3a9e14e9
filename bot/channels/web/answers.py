"""HTTP answers of the console besides its page: JSON, and problems in words."""

from __future__ import annotations

from aiohttp import web

from bot.channels.web import frames


def words(line: str) -> web.Response:
    """A line of JSON as `frames.write` made it."""
    return web.Response(text=line, content_type="application/json")


def problem(status: int, text: str) -> web.Response:
    """A refusal or failure with a sentence for the page to show."""
    return web.Response(status=status, text=frames.write("error", id="", text=text), content_type="application/json")

"""T12: nothing that is shown fetches a page or offers a foreign link: links, mentions and markup, over the real wires.

The channels' own tests hold the CI form, with the twins that show what would happen without their taming.
"""

from __future__ import annotations

import logging
from pathlib import Path

from tests.bot.channels import test_slack as slack
from tests.bot.channels import test_telegram as telegram
from tests.bot.channels.slack_house import house
from tests.bot.channels.telegram.stage import stage
from tests.counterparts.slack import BINARY, local_slack
from tests.torture.bare import Found

NO_PREVIEW = {"is_disabled": True}


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` messages with hooks on each channel, half of them cards."""
    del folder
    found = Found(seed)
    logging.getLogger("slack_bolt").setLevel(logging.CRITICAL)
    await _telegram(found, count // 2, seed)
    if BINARY.exists():
        await _slack(found, count // 2)
    else:
        found.counts["Slack left out: no local-slack here"] += 1
    return found


async def _telegram(found: Found, pairs: int, seed: int) -> None:
    async with stage() as on:
        await telegram.say_and_show_links(on, pairs, seed)
        sends = on.telegram.made("sendMessage") + on.telegram.made("editMessageText")
        found.counts["Telegram sends"] += len(sends)
        found.expect(len(sends) >= 2 * pairs, f"only {len(sends)} sends")
        for send in sends:
            found.expect(send.get("link_preview_options") == NO_PREVIEW, f"a preview: {str(send)[:300]}")
        live = telegram.links(on)
        found.expect(not live, f"can be tapped: {live[:5]}")


async def _slack(found: Found, pairs: int) -> None:
    with local_slack("socket") as running:
        async with house(running) as home:
            try:
                await slack.say_and_show_links(home, pairs)
            except AssertionError as error:
                found.faults.append(f"Slack: {str(error)[:300]}")
            found.counts["Slack sends"] += len(home.edge.calls)


async def test_no_hook_catches_anybody(yard: Path) -> None:
    found = await torture(yard, 20, 12)
    assert not found.faults, found

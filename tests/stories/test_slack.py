"""The stories on Slack: the whole house through Bolt and Socket Mode, against a real workspace and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counterparts.ports import free_port
from tests.counterparts.slack import SECRET, LocalSlack, local_slack
from tests.stories import told
from tests.stories.street import street

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@pytest.mark.parametrize("story", told.STORIES, ids=lambda story: story.__name__)
async def test_the_story_on_slack(story, slack: LocalSlack, tmp_path: Path) -> None:
    async with street(tmp_path, slack=slack) as there:
        await story(there)


@pytest.mark.parametrize(
    "story", [told.the_invoice_whole, told.an_old_button_works_after_a_restart], ids=lambda story: story.__name__
)
async def test_the_story_over_signed_http(story, tmp_path: Path) -> None:
    port = free_port()
    signed = {"SLACK_ADDRESS": f"127.0.0.1:{port}", "SLACK_SIGNING_SECRET": SECRET, "SLACK_APP_TOKEN": ""}
    with local_slack("events", f"http://127.0.0.1:{port}/slack/events") as running:
        async with street(tmp_path, slack=running, environment=signed) as there:
            await story(there)

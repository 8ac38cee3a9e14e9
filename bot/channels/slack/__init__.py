"""Slack: the only door to slack-bolt and slack_sdk.

`Slack` is the channel; `manifest` is what Slack creates the app from; `check` is what ``doctor`` asks.
"""

from bot.channels.slack.channel import NoTokenError, Slack
from bot.channels.slack.health import Finding, check
from bot.channels.slack.hearing import Refusal
from bot.channels.slack.manifest import PATH, manifest
from bot.channels.slack.people import People, PeopleStore, Person

__all__ = [
    "PATH",
    "Finding",
    "NoTokenError",
    "People",
    "PeopleStore",
    "Person",
    "Refusal",
    "Slack",
    "check",
    "manifest",
]

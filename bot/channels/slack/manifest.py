"""The app manifest: everything Slack must know about the app, pasted once at api.slack.com/apps. Pure."""

from __future__ import annotations

import json
from typing import Any

COMMAND = "/solo"
PATH = "/slack/events"  # one address for events, commands and buttons

# What each is for; `health` names a missing one with these words.
SCOPES = {
    "app_mentions:read": "hear @Soloist in a channel",
    "channels:history": "hear replies in threads of public channels",
    "chat:write": "answer",
    "commands": f"{COMMAND} …",
    "files:read": "take in files you send",
    "files:write": "send invoices and charts",
    "groups:history": "hear replies in threads of private channels",
    "im:history": "hear direct messages",
    "im:write": "write to you first, with the digest",
}
EVENTS = ("app_home_opened", "app_mention", "message.channels", "message.groups", "message.im")


def manifest(*, name: str = "Soloist", address: str = "") -> str:
    """Return the manifest as JSON, ready to be pasted.

    Args:
        name: How the app is called in the workspace; at most 35 characters.
        address: The public https address of this house for signed HTTP; empty for Socket Mode, which needs none.

    Raises:
        ValueError: The name is too long, or the address is not https.
    """
    if not 0 < len(name) <= 35:  # noqa: PLR2004 - Slack's limit
        raise ValueError(f"The app's name has {len(name)} characters; Slack takes 1 to 35. Choose a shorter one.")
    if address and not address.startswith("https://"):
        raise ValueError(f"Slack only posts to https addresses, and {address!r} is none. Leave it out for Socket Mode.")
    url = address.rstrip("/") + PATH if address else ""
    asked: dict[str, Any] = {"request_url": url} if url else {}
    return json.dumps(
        {
            "display_information": {
                "name": name,
                "description": "The back office of a one-person company",
                "background_color": "#2c2d30",
            },
            "features": {
                "app_home": {
                    "home_tab_enabled": True,
                    "messages_tab_enabled": True,
                    "messages_tab_read_only_enabled": False,
                },
                "bot_user": {"display_name": name, "always_online": True},
                "slash_commands": [
                    {
                        "command": COMMAND,
                        "description": "Tell Soloist what to do",
                        "usage_hint": "invoice Acme 1,200 for March, net 14",
                        "should_escape": False,
                        **({"url": url} if url else {}),
                    }
                ],
            },
            "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
            "settings": {
                "event_subscriptions": {**asked, "bot_events": list(EVENTS)},
                "interactivity": {"is_enabled": True, **asked},
                "org_deploy_enabled": False,
                "socket_mode_enabled": not url,
                "token_rotation_enabled": False,
            },
        },
        indent=2,
    )

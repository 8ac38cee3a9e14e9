"""Telegram over long polling or a webhook: the only door to python-telegram-bot.

`channel` is the channel; `hearing`, `albums` and `contents` what comes in, `lanes`, `doubts` and `wire` how things go out,
`cards`, `drafts`, `presses`, `reveal` and `spans` what they look like (pure), `pairing` who the operator is, `health` what
`doctor` says.
"""

from bot.channels.telegram.channel import Telegram
from bot.channels.telegram.clock import Clock, WallClock
from bot.channels.telegram.pairing import PairingStore
from bot.channels.telegram.webhook import Webhook

__all__ = ["Clock", "PairingStore", "Telegram", "WallClock", "Webhook"]

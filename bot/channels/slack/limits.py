"""What Slack allows, each with where it is said. Read 2025-2026; "undocumented" means seen, not promised."""

from __future__ import annotations

# docs.slack.dev/reference/block-kit/blocks
BLOCKS_PER_MESSAGE = 50
BLOCKS_PER_VIEW = 100
HEADER_MAX = 150
SECTION_MAX = 3_000
FIELDS_MAX = 10
FIELD_MAX = 2_000
ACTIONS_MAX = 25
BLOCK_ID_MAX = 255

# docs.slack.dev/reference/block-kit/block-elements and composition-objects
BUTTON_TEXT_MAX = 75
BUTTON_VALUE_MAX = 2_000
OPTION_TEXT_MAX = 75
OPTION_VALUE_MAX = 150
OPTIONS_MAX = 100
INPUT_MAX = 3_000
LABEL_MAX = 2_000
PLACEHOLDER_MAX = 150
CONFIRM_TITLE_MAX = 100
CONFIRM_TEXT_MAX = 300
CONFIRM_BUTTON_MAX = 30

# docs.slack.dev/reference/views
VIEW_TITLE_MAX = 24
VIEW_METADATA_MAX = 3_000
VIEW_BYTES_MAX = 250_000

# Undocumented: chat.postMessage answers msg_blocks_too_long at about 13,200 characters over all blocks.
MESSAGE_TEXT_MAX = 13_200

# docs.slack.dev/reference/methods/chat.postMessage: text is advised up to 4,000 and cut at 40,000.
FALLBACK_MAX = 3_000

# docs.slack.dev/apis/web-api/rate-limits: about one message a second and channel, short bursts pass; chat.update is
# tier 3 (50 a minute), chat.postEphemeral tier 4 (100 a minute). Seconds between two, and how many may come at once.
PACES = {"post": (1.0, 4), "update": (1.2, 6), "aside": (0.6, 6)}

# docs.slack.dev/authentication/verifying-requests-from-slack
SIGNATURE_AGE_MAX_S = 300

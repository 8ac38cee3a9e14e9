"""What `/help` says: how to begin, the commands by subject on one screen, and one command at length. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SAYINGS = (
    "invoice Acme 1,200 for the March retainer, net 14",
    "Acme paid 2026-0001",
    "what's unpaid?",
    "email Anna: the draft is ready",
    "remind me to call the accountant on Tuesday at 3",
)
SUBJECTS = {
    "Cards": "approvals approve reject snooze undo grants",
    "Your day": "digest home agenda remind",
    "Money": "invoice paid unpaid revenue report",
    "Clients and work": "client who projects plan",
    "What I know": "remember recall memory forget habits tone",
    "What happened": "why timeline tasks stuck budget",
    "Stop and go": "pause resume end away back",
}
"""Subject → its commands in the order of use; a command of no subject stands under "More"."""
EXAMPLES_MAX = 4


def page(commands: Sequence[tuple[str, str]]) -> str:
    """Return how to talk to the house, one screen of a phone.

    Args:
        commands: Each command with its slash, and what it does.
    """
    known = [command.removeprefix("/") for command, _ in commands]
    listed = {subject: [word for word in words.split() if word in known] for subject, words in SUBJECTS.items()}
    over = [word for word in known if word != "help" and not any(word in words for words in listed.values())]
    lines = [
        f"- {subject}: {' '.join(f'/{word}' for word in words)}"
        for subject, words in {**listed, "More": over}.items()
        if words
    ]
    return "\n".join(
        [
            "Just say what you need, for example:",
            *(f"- {saying}" for saying in SAYINGS),
            "",
            "What leaves the house stands on a card first. While it waits, say what should be different: make it 1,500",
            "",
            "Commands; /help and one of them tells more:",
            *lines,
        ]
    )


def about(command: str, commands: Sequence[tuple[str, str]], examples: Mapping[str, Sequence[str]]) -> str:
    """Return what one command does and how else it can be said; the whole page for one that is unknown."""
    name = command.strip().lstrip("/!").casefold()
    words = dict(commands).get(f"/{name}")
    if words is None:
        return f"There is no command /{name}.\n\n{page(commands)}"
    said = [f"- {example}" for example in examples.get(name, ())[:EXAMPLES_MAX]]
    return "\n".join([f"/{name}: {words}", *(["Or in your own words:", *said] if said else [])])

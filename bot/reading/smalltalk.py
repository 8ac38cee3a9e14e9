"""What is said beside the work: hello, thanks, a bare yes or no, and what is done elsewhere than in a chat. Pure.

Only whole messages count, so no request is ever swallowed. A bare yes presses nothing: it is answered with the button, since
between the card and the yes another card may have come.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memory.events import Choice

BUTTONS_MAX = 3  # of the cards that a bare yes or no could mean
EXAMPLE = "“invoice Acme 1,200 for the March retainer, net 14”"


@dataclass(frozen=True)
class Said:
    """An answer, and the buttons under it."""

    text: str
    choices: tuple[Choice, ...] = ()


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"\W*(?:{words})(?:\W+(?:soloist|bot|please|then|there|all))*\W*", re.IGNORECASE)


_HELLO = _whole(r"hi+|hello|hey|hiya|yo|good (?:afternoon|evening|day)|hallo|moin|servus|guten (?:tag|abend)")
_THANKS = _whole(
    r"(?:(?:ok|great|perfect|super|many)\W+)?(?:thanks?(?: you)?(?: (?:very much|so much|a lot|again))?|thx|ty|tysm|cheers|"
    r"danke(?: (?:schön|sehr|dir|vielmals))?|vielen dank|merci)|(?:very )?(?:nice|great|cool|awesome|perfect|super)(?: work| job)?|"
    r"well done|good (?:job|work|bot)|nice one"
)
_BYE = _whole(r"bye(?: bye)?|good ?night|see (?:you|ya)(?: (?:later|tomorrow))?|gute nacht|tschüss|ciao")
_YES = _whole(
    r"(?:(?:yes|ok|okay|ja)\W+)?(?:yes|yep|yeah|yup|ok|okay|sure|alright|fine|agreed|do (?:it|that)|go(?: ahead)?|send (?:it|that)|"
    r"make it so|sounds good|looks good|lgtm|please do|ja|passt|mach das|in ordnung)|👍|✅"
)
_NO = _whole(r"no|nope|nah|no thanks?(?: you)?|nein(?: danke)?|not (?:now|that|this)|👎|❌")
_NEVER_MIND = _whole(r"never ?mind|nvm|forget (?:it|that|about it)|nothing|egal|vergiss es|schon gut|drop it|leave it")
_WHO = _whole(
    r"who are you|what are you|what is (?:this|soloist)|are you (?:a )?(?:bot|human|robot|real|there)|ping|test"
)
_MACHINE = _whole(
    r"(?:make |do |run |please )?(?:a |an |the )?(?P<what>export|backup|back ?up|restore|doctor|replay|import)(?: everything| all| now)?"
)
_COMMANDS = {"back up": "backup", "import": "import FOLDER", "restore": "restore FILE"}
_COMPANY = re.compile(
    r"\W*(?:(?:change|update|set|correct) (?:my|our)|(?:my|our)) (?:company(?:'s)? )?"
    r"(?P<what>iban|bank account|(?:company )?name|address|vat (?:id|number|rate)|tax (?:id|number)|logo|letterhead|signature)\b"
    r"(?: (?:has )?(?:changed|is now|to)\b.*)?\W*",
    re.IGNORECASE | re.DOTALL,
)
_PLAN = _whole(r"drop the plan|rehearse(?: it| the plan)?|run the plan|cancel the plan|drop step \d+")


def answered(text: str, waiting: Sequence[tuple[str, str]]) -> Said | None:
    """Return what to say to a message that is no request; None for everything else.

    Args:
        text: The whole message.
        waiting: Number and title of the cards that wait, the newest first.
    """
    if _YES.fullmatch(text):
        return _which("approve", waiting, "Nothing waits for a yes just now.")
    if _NO.fullmatch(text):
        return _which("reject", waiting, "Alright. Nothing was done.")
    if _NEVER_MIND.fullmatch(text):
        return Said("Alright. Nothing was done." + _still(waiting))
    if _HELLO.fullmatch(text):
        return Said(f"Hello. Say what needs doing, like {EXAMPLE}. /help shows more.{_still(waiting)}")
    if _THANKS.fullmatch(text):
        return Said("You're welcome.")
    if _BYE.fullmatch(text):
        return Said(f"Until then. What you approved goes on.{_still(waiting)}")
    if _WHO.fullmatch(text):
        return Said(
            "I am Soloist, your back office: invoices, letters, dates, reminders and what was said before. I draft, a card "
            "shows exactly what would happen, and nothing leaves the house before you press. /help shows what to say."
        )
    if machine := _MACHINE.fullmatch(text):
        what = re.sub(r"\s+", " ", machine["what"].lower())
        return Said(f"That is done where I run, not in a chat: python -m bot {_COMMANDS.get(what, what)}")
    if company := _COMPANY.fullmatch(text):
        return Said(
            f"Your {company['what']} stands in company.toml in my home folder: change it there and start me again. "
            "“python -m bot company” shows every line. To have it remembered as a note: “remember that …”."
        )
    return Said("No plan waits just now.") if _PLAN.fullmatch(text) else None


def _which(verb: str, waiting: Sequence[tuple[str, str]], none: str) -> Said:
    if not waiting:
        return Said(none)
    choices = tuple(Choice(label=f"{verb.capitalize()} {card}", text=f"{verb} {card}") for card, _ in waiting)
    if len(waiting) == 1:
        [(card, title)] = waiting
        return Said(f"Do you mean card {card}, {title}?", choices)
    listed = [f"- {card}: {title}" for card, title in waiting[:BUTTONS_MAX]]
    if len(waiting) > BUTTONS_MAX:
        listed.append(f"- and {len(waiting) - BUTTONS_MAX} more: /approvals")
    return Said("\n".join(["Which one do you mean?", *listed]), choices[:BUTTONS_MAX])


def _still(waiting: Sequence[tuple[str, str]]) -> str:
    if not waiting:
        return ""
    return f" Card {waiting[0][0]} waits for you." if len(waiting) == 1 else f" {len(waiting)} cards wait: /approvals"

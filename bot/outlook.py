"""What lies ahead of a step before it begins: whether it will ask, how far it can be taken back, what it may cost. Pure.

Everything here is declared: by the intent (which actions, whether a model is asked), by each action (its undo, its point of
no return, its delay window), by the operator's rules. A draft is still to be made, so it says what may be, and the card then
says what is::

    Outlook(actions, policy, gateway.at_most).below(step)  # "10 s to stop it, then no way back · model up to 0.01 USD"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from agents.plan import staff
from bot.books import REVERSIBLE
from bot.policy import DEFAULTS, Policy
from connectors.base import Action
from memory.events import Step

ISSUE = "books.issue"
Asking = Literal["", "may ask", "asks first", "never, by your rules"]
_WORDS: Mapping[str, Asking] = {"do": "", "ask": "asks first", "shadow": "asks first", "refuse": "never, by your rules"}
_LATER = ("can be undone", "taken back on a card", "only a credit note takes it back", "no way back")
_STRICT: tuple[Asking, ...] = ("", "may ask", "asks first", "never, by your rules")


@dataclass(frozen=True)
class Outlook:
    """What is declared, and what models cost at most: tier → words, "" for a tier without a model."""

    actions: Mapping[str, Action]
    policy: Policy
    thinking: Callable[[str], str] = lambda _: ""
    absent: Callable[[str], str] = lambda _: ""  # action → the sentence that says what is not set up

    def asks(self, step: Step) -> Asking:
        """Return whether the step will ask before anything of it happens."""
        found: list[Asking] = [self._ruling(action) for action in self._actions(step)]
        worst: Asking = max(found, key=_STRICT.index, default="")
        return "asks first" if step.gate == "ask" and worst in {"", "may ask"} else worst

    def back(self, step: Step) -> str:
        """Return how what it does is taken back, or its point of no return; "" for what changes nothing."""
        actions = self._actions(step)
        if not actions:
            return ""
        # The first is what the step is for: of an invoice and its mail, the invoice.
        later = _LATER[_distance(actions[0])]
        waits = self.policy.delay > timedelta(0) and any(action.delayed for action in actions)
        return f"{_span(self.policy.delay)} to stop it, then {later}" if waits else later

    def cost(self, step: Step) -> str:
        """Return what a model may cost for it at most; "" where none is asked."""
        duty = None if _told(step) else staff().get(step.intent)
        most = self.thinking(duty.intent.thinks) if duty and duty.intent.thinks else ""
        return f"model up to {most}" if most else ""

    def missing(self, step: Step) -> str:
        """Return what is not set up and has to be before the step can be done; "" when nothing is missing."""
        names = _names(step)
        outside = [name for name in names if not name.startswith(("books.", "mail."))]
        if not outside or names[0] not in outside or any(name in self.actions for name in outside):
            return ""
        return self.absent(names[0]).partition(",")[0]

    def below(self, step: Step) -> str:
        """Return the line below a step: what is missing, or undo and cost; "" where there is nothing to say."""
        return self.missing(step) or " · ".join(filter(None, (self.back(step), self.cost(step))))

    def _actions(self, step: Step) -> list[Action]:
        return [self.actions[name] for name in _names(step) if name in self.actions]

    def _ruling(self, action: Action) -> Asking:
        for rule in self.policy.rules:
            if fnmatchcase(action.name, rule.action):
                always = rule.client == "*" and rule.amount_max is None and not rule.known_recipients_only
                words = _WORDS[rule.then]
                if always and not rule.earned:
                    return words
                return words if words == _WORDS[DEFAULTS[action.risk][0]] else "may ask"
        return _WORDS[DEFAULTS[action.risk][0]]


def _names(step: Step) -> tuple[str, ...]:
    """Return the actions that a step may lead to, the one it is for before the others."""
    duty = None if step.inputs.get("note") else staff().get(step.intent)
    return duty.leads_to(step.inputs) if duty else ()


def _told(step: Step) -> bool:
    """Whether a step only tells the operator something, or keeps the plan: the planner thinks nothing up for it."""
    return bool(step.inputs.get("note") or step.inputs.get("keep"))


def _distance(action: Action) -> int:
    """Return how hard an action is to take back: an index of `_LATER`."""
    if action.name == ISSUE:
        return 2
    if action.name in REVERSIBLE:
        return 0
    return 3 if action.undo is None else 1


def _span(delay: timedelta) -> str:
    seconds = int(delay.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004 - two minutes read better so

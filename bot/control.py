"""What an operator can ask of the house itself: cards, history, memory, the emergency stop.

The conductor answers these; no agent does. Each is a command (``/approvals``, ``!approvals``), a pattern, and for what
only looks something up also plain words. What presses a button or cannot be taken back is in `EXACT`: it is taken from
a command or an exact phrase and never from a likeness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from agents.base import Intent, Risk
from agents.slots import Day, Moment, Period


class Help(Intent):
    """Show what I can do."""

    examples: ClassVar[tuple[str, ...]] = (
        "help", "what can you do?", "how does this work?", "show me the commands", "what are my options here",
        "I'm lost, what can I ask you", "list your skills", "how do I use you", "which commands are there?",
        "what do you understand", "can you explain what you do", "give me a tour", "getting started",
        "show help", "what else can you help with",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "what are you able to do", "help me out, what commands exist", "how can I use this bot",
        "tell me what you can do for me", "I need the list of commands",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "help Acme with their onboarding", "write help text for the app", "what can Acme do for us",
        "can you lend me money", "help customers reset their password",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "help",
        "what can you do",
        "hi",
        "hello",
        "start",
        "commands",
        "list commands",
        "list all commands",
        "what can i do",
        "how does this work",
        "help me",
        "i need help",
    )
    command: ClassVar[str] = "help"

    about: str = ""


class Approvals(Intent):
    """List the cards that wait for you."""

    examples: ClassVar[tuple[str, ...]] = (
        "what's waiting for me?", "show my approvals", "which cards are open?", "anything to approve?",
        "pending approvals", "what needs my decision", "show the queue", "list everything waiting for my ok",
        "open cards please", "what do I have to sign off", "is there something I should approve", "my inbox of cards",
        "what's pending", "show me what waits", "cards",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "what is waiting for approval", "do I have open cards", "which decisions are pending",
        "show all pending cards", "what still needs my sign-off",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "approve 12.1", "which invoices are open?", "what waits for Acme's answer", "approve my loan",
        "who approved the design",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "approvals",
        "cards",
        "what's waiting",
        "what is waiting",
        "open cards",
        "show cards",
        "pending",
        "what's pending",
        "show my approvals",
        "anything to approve",
        "what needs my approval",
        "what's waiting for me",
    )
    command: ClassVar[str] = "approvals"


class Digest(Intent):
    """Show the morning letter now."""

    examples: ClassVar[tuple[str, ...]] = (
        "show me the digest", "today's digest", "what happened since yesterday?", "daily summary please",
        "give me the morning briefing", "what did you do today", "catch me up", "brief me", "what's new?",
        "overview of the day", "send the digest now", "what did I miss", "how did yesterday go",
        "morning update", "weekly digest",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "can I see the daily digest", "update me on what happened", "give me today's briefing",
        "what happened while I was away", "summary of my day please",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "summarise this article", "what's on my calendar today", "how much did we earn today",
        "news about the stock market", "write a newsletter about today",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "digest",
        "catch me up",
        "brief me",
        "what's new",
        "good morning",
        "morning",
        "any news",
        "what did i miss",
        "what happened today",
        "bring me up to date",
        "what did you do {past_day}",
        "what did you do {period}",
        "weekly review",
        "monthly review",
        "review of the week",
        "review of the month",
    )
    command: ClassVar[str] = "digest"

    past_day: Day | None = None
    period: Period | None = None


class Stuck(Intent):
    """List what is stuck and why."""

    examples: ClassVar[tuple[str, ...]] = (
        "what's stuck?", "anything blocked?", "which tasks failed?", "show problems", "what went wrong today",
        "is anything hanging", "list failed tasks", "what isn't moving", "show me errors", "anything broken?",
        "which jobs are blocked and why", "what needs fixing", "did something fail", "stuck tasks", "open problems",
        "what is hanging or failing", "any failures",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "are there stuck tasks", "what is blocked right now", "did any task fail", "show me what's failing",
        "is something wrong",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "I'm stuck in traffic", "the Acme project is blocked by legal", "fix the printer",
        "why did 12 fail", "what's waiting for me",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "stuck",
        "what's stuck",
        "what is stuck",
        "anything stuck",
        "any problems",
        "any errors",
        "what failed",
        "what went wrong",
    )
    command: ClassVar[str] = "stuck"


class Timeline(Intent):
    """Show what happened in a task, line by line."""

    examples: ClassVar[tuple[str, ...]] = (
        "timeline of task 12", "show the history of 14", "what happened in task 7, step by step",
        "trace task 31", "show every step of 12", "history of that task", "log of task 9",
        "walk me through task 22", "timeline 40", "show the events of task 5", "how did task 18 go",
        "what are the steps of task 3", "audit trail for 12", "show the timeline", "task 16 in detail",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "give me the timeline for task 11", "show me everything that happened in 8", "trace 27 please",
        "history of task 19", "steps taken in task 6",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "project timeline for Acme", "history of our invoices to Globex", "plan a timeline for the launch",
        "why did you do 12.1", "what happened today",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "timeline {task}",
        "timeline of {task}",
        "timeline of task {task}",
        "timeline",
        "history of {task}",
        "history of task {task}",
        "log of {task}",
        "log of task {task}",
        "trace {task}",
        "what happened in task {task}",
    )
    command: ClassVar[str] = "timeline"

    task: str = ""


class Why(Intent):
    """Explain why something was done or proposed."""

    examples: ClassVar[tuple[str, ...]] = (
        "why did you do that?", "why 12.1", "explain card 14.2", "what was the reason for task 9",
        "why did you ask me about the mail to Acme", "why was this invoice sent", "how did you come to that amount",
        "where does that number come from", "why is 22.1 waiting", "on what basis did you propose this",
        "why didn't this run by itself", "which rule asked for 12.1", "what made you pick that date",
        "what is card 9.1 based on", "explain task 7", "tell me the reason for 14.1",
        "explain yourself", "why do you think so",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "why did you propose 31.1", "give me the reason for card 8.1", "why was I asked",
        "what is 12.1 based on", "explain why you did task 4",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "why is the sky blue", "why hasn't Acme paid", "ask Globex why they cancelled",
        "why is revenue down this month", "explain quantum computing",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "why {task}",
        "why did you do {task}",
        "why",
        "explain {task}",
        "why did you do that",
        "why this",
        "why that",
        "why card {task}",
    )
    command: ClassVar[str] = "why"

    task: str = ""


class Undo(Intent):
    """Take the last thing back, where that is possible."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "undo", "undo that", "take that back", "undo 12.1", "revert the last thing", "roll it back",
        "oops, undo", "stop that mail, it isn't gone yet", "undo the last action", "bring it back to how it was",
        "reverse what you just did", "unsend it", "I didn't mean that, undo it", "cancel what you just did",
        "undo task 14",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please undo this", "can you take the last step back", "revert 9.1", "undo what you did", "unsend that mail",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel the meeting", "cancel invoice 2026-0001", "refund Acme", "reject 12.1", "undo my marriage",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "undo",
        "undo that",
        "undo it",
        "undo {card}",
        "take that back",
        "undo this",
        "undo the last thing",
        "undo the last one",
        "take it back",
        "revert that",
        "roll it back",
    )
    command: ClassVar[str] = "undo"

    card: str = ""


class Pause(Intent):
    """Stop everything that would leave the house, or one part of it."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "pause", "stop everything", "pause all mails", "hold everything", "emergency stop", "halt",
        "freeze all actions", "stop sending mail for now", "pause posting", "put everything on hold",
        "stop all payments", "don't do anything until I say so", "suspend all activity", "pause stripe", "full stop",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please pause everything", "stop all outgoing mail", "halt all actions now", "put mails on hold",
        "emergency halt",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "stop the monthly invoice to Acme", "pause my Netflix subscription", "cancel the meeting",
        "put the Acme project on hold", "remind me to take a break",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "pause",
        "stop",
        "stop everything",
        "emergency stop",
        "pause {scope}",
        "halt",
        "don't send anything",
        "don't send anything out",
        "don't send anything {scope}",
        "send nothing",
        "stop sending",
        "hold everything",
        "pause everything",
        "stop all mails",
        "hold all mails",
        "stop posting",
        "freeze everything",
    )
    command: ClassVar[str] = "pause"

    scope: str = ""


class Resume(Intent):
    """Go on after a pause."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "resume", "go on", "continue", "resume mail", "unpause", "start again", "carry on", "you may go on",
        "lift the pause", "resume everything", "end the emergency stop", "back to work", "reactivate posting",
        "take the hold off", "run again",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please resume", "continue sending mail", "you can carry on now", "unpause everything", "lift the stop",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "send my resume to Acme", "continue the draft", "restart the server", "resume the talks with Globex",
        "start the Acme project",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "resume",
        "go on",
        "continue",
        "resume {scope}",
        "unpause",
        "carry on",
        "resume sending",
        "start sending again",
        "unpause everything",
        "resume everything",
    )
    command: ClassVar[str] = "resume"

    scope: str = ""


class Approve(Intent):
    """Press Approve on a card."""

    effect: ClassVar[Risk] = Risk.MONEY
    examples: ClassVar[tuple[str, ...]] = (
        "approve 12.1", "approve", "yes, approve it", "ok, send it", "go ahead with 14.1", "approved",
        "looks good, approve", "yes do it", "confirm 9.2", "green light for 12.1", "sign off on 7.1",
        "approve the card", "yes please send", "accept 22.1", "make it so",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please approve 11.1", "yes, go ahead", "ok approve that one", "accept card 8.1", "confirm it",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "what needs my approval", "did Acme approve the design", "reject 12.1", "ask Anna to approve the budget",
        "who may approve payments",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("approve {card}", "approve")
    command: ClassVar[str] = "approve"

    card: str = ""


class Reject(Intent):
    """Press Reject on a card, with a reason if you like."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "reject 12.1", "reject", "no, don't send it", "decline 14.1", "reject it, wrong amount", "discard the card",
        "throw 9.1 away", "not like this, reject", "decline that", "no to 22.1", "turn it down", "dismiss 7.1",
        "deny 12.1 because the price is wrong", "scrap this card", "leave it, reject",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please reject 11.1", "decline card 8.1", "no, reject this", "deny it, wrong client", "discard 16.1",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "Acme rejected the proposal", "cancel the meeting", "undo 12.1", "decline the invitation from Bob",
        "tell Globex no",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "reject {card}", "reject {card} because {reason}", "reject {card}, {reason}", "reject", "decline {card}",
        "dismiss {card}", "discard {card}", "decline {card} because {reason}", "decline {card}, {reason}",
    )  # fmt: skip
    command: ClassVar[str] = "reject"

    card: str = ""
    reason: str = ""


class Snooze(Intent):
    """Put a card aside until later."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "snooze 12.1 until tomorrow", "snooze", "show me that card again on Monday", "snooze 9.1 for two hours",
        "ask me again tomorrow", "put 14.1 aside until Friday", "later", "not now, ask again at 5",
        "remind me of this card tonight", "come back to 7.1 next week", "park 12.1 till tomorrow morning",
        "bring 22.1 back on Friday", "decide 12.1 later", "snooze the card", "postpone this decision to Monday",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "snooze 11.1 till Monday", "ask me about 8.1 again tomorrow", "put card 6.1 aside", "park this card until noon",
        "postpone 16.1",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "postpone the meeting to Friday", "remind me tomorrow to call Bob", "move the call to Monday",
        "snooze my alarm", "delay the post until Friday",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "snooze {card} until {until}",
        "snooze {card}",
        "snooze",
        "snooze until {until}",
        "later",
        "park {card}",
        "park {card} until {until}",
        "postpone {card} to {until}",
        "postpone {card} until {until}",
        "ask me about {card} {until}",
        "ask me again about {card} {until}",
        "show {card} again {until}",
        "remind me about card {card} {until}",
        "remind me of card {card} {until}",
    )
    command: ClassVar[str] = "snooze"

    card: str = ""
    until: Moment | None = None


class Home(Intent):
    """Show the single pane: what waits, what is stuck, money, what comes next."""

    examples: ClassVar[tuple[str, ...]] = (
        "home", "show the home screen", "show the dashboard", "overview", "status of everything", "show me the cockpit",
        "where do things stand", "how are we doing overall", "the big picture please", "home screen",
        "open the control panel", "give me an overview of the company", "state of affairs", "main screen",
        "everything at a glance",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "show my dashboard", "company overview", "where does everything stand", "go to home", "an overview please",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "I'm going home", "status of the Acme project", "what's waiting for me", "home insurance quotes",
        "show revenue this month",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "home",
        "dashboard",
        "overview",
        "status",
        "home screen",
        "how's business",
        "how is business",
        "how are things",
        "the big picture",
    )
    command: ClassVar[str] = "home"


class Budget(Intent):
    """Show what models have cost and what may still be spent."""

    examples: ClassVar[tuple[str, ...]] = (
        "budget", "how much did the models cost today?", "what's left of the AI budget", "token usage this month",
        "how many tokens have you used", "what do you cost me", "show the model budget", "your running costs",
        "spend on AI so far", "what is the daily limit", "how much allowance is left", "show limits",
        "cost of the model calls this week", "are we over the token limit", "model spending",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "how much AI budget remains", "what did your model calls cost", "tokens used today",
        "show your costs this month", "is the token budget used up",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "what's Acme's budget", "plan my marketing budget", "how much did I spend on software",
        "revenue this month", "what is the budget of the project",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "budget",
        "limits",
        "token usage",
        "ai costs",
        "your costs",
        "tokens left",
    )
    command: ClassVar[str] = "budget"


class Memory(Intent):
    """Show what I remember, by topic."""

    examples: ClassVar[tuple[str, ...]] = (
        "memory", "what do you remember?", "show your memory", "list the facts you keep", "everything you know about me",
        "what have you stored", "show stored facts", "list my preferences", "which rules have you learned",
        "show what you learned about Acme", "what's in your memory", "dump memory", "all remembered facts",
        "what do you keep on file about Globex", "browse memory",
        "what have you stored about Acme", "what is noted about Hooli", "which facts about Wayne are stored",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "show all your memories", "what facts do you have stored", "list what you have learned",
        "what's stored about Initech", "open your memory",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "remember that Acme pays late", "forget Bob", "what is Acme's VAT number", "buy more memory for the laptop",
        "what happened today",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "memory",
        "memory {query}",
        "what do you remember about {query}",
        "show your memory",
        "what do you remember",
        "list my rules",
        "what do you know about me",
    )
    command: ClassVar[str] = "memory"

    query: str = ""


class Remember(Intent):
    """Keep a fact, a preference or a rule."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "remember that Acme pays in 30 days", "note: Globex wants invoices in PDF", "keep in mind that Bob is on leave",
        "my hourly rate is 95", "remember my IBAN changed", "for the record, Initech's new contact is Eva",
        "from now on sign mails with Best, Sam", "remember I don't work on Fridays", "don't forget: Hooli hates calls",
        "note down that Stark's budget is 10k", "save this: the wifi password of the office is on the fridge",
        "FYI Umbrella moved to Lyon", "learn that I prefer short mails", "always cc Anna on invoices to Wayne",
        "write down that the Acme contract ends in June", "remeber that Globex has a new boss",
        "for later reference: Acme wants net 14", "for the future: Hooli wants two copies", "for your info: Stark has a new buyer",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please remember that Stark prefers calls before noon", "note that Hooli's VAT number changed",
        "keep in mind I'm vegetarian", "for future reference: Wayne wants net 30", "remember, no posts on Sundays",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind me to call Bob", "do you remember Acme's address", "add client Globex", "forget what I said",
        "write a note to Acme",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "remember that {what}", "remember: {what}", "note: {what}", "keep in mind that {what}", "note that {what}",
        "fyi {what}", "from now on {what}",
        "remember {what}", "write down that {what}", "write down: {what}", "don't forget that {what}", "for the record: {what}", "note down that {what}", "save this: {what}", "please note: {what}",
    )  # fmt: skip
    command: ClassVar[str] = "remember"
    asks: ClassVar[Mapping[str, str]] = {"what": "What shall I remember?"}

    what: str


class RecallFact(Intent):
    """Answer from what was said and noted before."""

    examples: ClassVar[tuple[str, ...]] = (
        "what did Acme say about the deadline?", "what was the price we agreed with Globex", "when did I last talk to Bob",
        "what do you know about Initech's preferences", "did Hooli ever mention a budget",
        "what's my hourly rate again?", "where is the office key", "which font does Acme use", "who recommended us to Stark",
        "what did we promise Umbrella", "when does the Wayne contract end", "do you remember what Eva wanted",
        "what discount did I give Globex last time", "what are Acme's payment terms", "did I ever tell you my tax number",
        "look in your notes: what was the wifi password",
        "what did we agree with Acme on the scope", "which price did we agree with Wonka", "what did Globex want changed",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "what did we agree with Stark on the price", "when was the last time Hooli complained",
        "do you recall what Anna asked for", "what does Wayne prefer, mail or phone", "which rate did I quote Umbrella",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "remember that Acme pays late", "what's the capital of France", "who is Globex", "what is unpaid",
        "look up the weather",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("recall {query}",)
    command: ClassVar[str] = "recall"
    asks: ClassVar[Mapping[str, str]] = {"query": "What do you want to know?"}

    query: str


class Forget(Intent):
    """Erase a fact or a person for good."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "forget that Acme pays late", "forget Bob Miller", "delete what you know about Globex",
        "erase all data on Eva", "forget my old address", "remove that note about Hooli", "that fact is wrong, delete it",
        "Initech asks to be deleted under GDPR", "wipe everything about Stark's contact", "forget the wifi password",
        "drop the rule about Fridays", "erase this from your memory", "forget what I told you about Umbrella",
        "delete the memory 8812", "remove my preference for short mails",
        "erase everything about Acme", "delete all data of a person",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "please forget the thing about Wayne", "erase Anna from your memory", "delete the note on discounts",
        "GDPR request: remove John Smith", "forget that preference",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "don't forget to call Bob", "delete the invoice", "cancel the meeting with Eva", "I forgot my password",
        "remove Acme from the newsletter",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "forget {what}",
        "forget that {what}",
        "forget about {what}",
        "forget everything about {what}",
        "delete what you know about {what}",
        "delete everything about {what}",
    )
    command: ClassVar[str] = "forget"
    asks: ClassVar[Mapping[str, str]] = {"what": "What shall I forget?"}

    what: str


CONTROL: tuple[type[Intent], ...] = (
    Help, Approvals, Digest, Stuck, Timeline, Why, Undo, Pause, Resume, Approve, Reject, Snooze, Home, Budget, Memory,
    Remember, RecallFact, Forget,
)  # fmt: skip

EXACT = frozenset({"approve", "reject", "snooze", "undo", "forget", "resume"})
"""Pressing a button, or what no card stands before: only an exact phrase or a command will do."""

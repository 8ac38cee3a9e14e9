"""Intents of agents that are not in the house yet, so that the whole list is measured. Each gives way to the real one.

`everything` returns what is measured: every discovered intent, the house's control words, and from this file what is
still missing.
"""

from __future__ import annotations

from typing import ClassVar

from agents import discover
from agents.base import Intent, Risk
from agents.slots import ClientName, Day, Moment, Period
from bot.control import CONTROL


class WritePost(Intent):
    """Draft a post."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "write a post about pricing retainers", "draft a LinkedIn post on our new case study", "I need a post about burnout",
        "write something for Bluesky about the launch", "blog post: five lessons from the Acme project",
        "draft a tweet announcing the workshop", "make a short post about remote work", "give me a post draft on invoicing tips",
        "compose a post celebrating our anniversary", "write two variants of a post about the webinar",
        "come up with a post about freelancing in winter", "new post about the redesign", "turn this note into a post",
        "write an article on how to choose a designer", "post idea: client onboarding, please draft it",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "draft a post about our holiday hours", "write a blog article about accessibility", "I want a post on saying no to clients",
        "make me a Bluesky post about the new site", "compose something for LinkedIn on fixed prices",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "publish the post", "write to Acme that we are late", "how did the post do", "delete my post", "write a proposal for Globex",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "write a post about {topic}",
        "draft a post about {topic}",
        "write a post on {topic}",
    )
    command: ClassVar[str] = "post"
    topic: str = ""


class PublishPost(Intent):
    """Publish a post that is ready."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "publish the post", "put it online", "post it now", "publish the draft about pricing", "go live with the blog post",
        "publish on Bluesky", "send the post out", "release the article", "publish the last draft", "post this to the blog",
        "make the post public", "publish the launch post now", "push the article live", "post the second variant",
        "put the case study on the blog",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "publish that article", "put the pricing post online", "go live with the draft", "post the first version on Bluesky",
        "release the post about burnout",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "write a post about pricing", "schedule the post for Friday", "take the post down", "how many likes did the post get",
        "publish my phone number",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("publish the post", "publish {topic}", "post it now")
    topic: str = ""


class SchedulePost(Intent):
    """Publish a post at a time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "schedule the post for Friday at 9", "publish the draft tomorrow morning", "queue the post for Monday",
        "post this on Tuesday at noon", "schedule the article for next week", "put the post out on the 3rd at 10",
        "time the launch post for Thursday 8am", "publish it tonight at 7", "plan the post for Wednesday",
        "post the case study next Monday at 9", "line the post up for Sunday evening", "schedule the Bluesky post for 5pm",
        "let the article go out on Friday", "queue it up for tomorrow", "set the post for December 1st",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "schedule the pricing post for Thursday", "publish the article on Monday at 8", "queue that post for tomorrow noon",
        "put the draft out next Tuesday", "plan the blog post for the 15th",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "publish the post", "schedule a call for Friday", "remind me to post on Friday", "cancel the scheduled post",
        "when is the post going out",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "schedule the post for {when}",
        "publish the post {when}",
        "queue the post for {when}",
    )
    when: Moment | None = None
    topic: str = ""


class CancelPost(Intent):
    """Take a scheduled or published post back."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "cancel the scheduled post", "take the post down", "delete the last post", "unpublish the article",
        "remove the Bluesky post", "don't let Friday's post go out, cancel it", "pull the post about pricing",
        "stop the post that is queued for Monday", "take that tweet offline", "cancel tomorrow's post",
        "delete the blog article about burnout", "retract the post", "remove it from the blog", "unschedule the launch post",
        "drop the queued article",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "take down the launch post", "cancel the post planned for Thursday", "delete that article", "unpublish the case study",
        "remove the scheduled tweet",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel the meeting", "publish the post", "cancel invoice 2026-0001", "cancel my newspaper", "move the post to Friday",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("cancel the post", "take the post down", "unpublish {topic}")
    topic: str = ""
    day: Day | None = None


class PostNumbers(Intent):
    """Say how posts did."""

    examples: ClassVar[tuple[str, ...]] = (
        "how did the last post do?", "post stats", "likes on the launch post", "which post worked best this month",
        "engagement last week", "how many reposts did we get", "performance of my posts", "show post numbers",
        "did anybody like the article", "compare the two variants", "reach of the Bluesky posts", "best performing post",
        "how is the pricing post doing", "social media numbers please", "how many people saw the case study",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "stats for my latest post", "how many likes did the article get", "which of my posts did best",
        "engagement numbers for October", "how did the A/B test of the post end",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "revenue last month", "write a post", "report for Acme", "how did the meeting go", "website traffic",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("post numbers", "post stats", "how did the last post do")
    command: ClassVar[str] = "posts"
    period: Period | None = None


class LookUp(Intent):
    """Look something up and say where it was found."""

    examples: ClassVar[tuple[str, ...]] = (
        "look up the VAT rules for Switzerland", "research competitors of Globex", "find out what Hooli does",
        "search for funding programmes for freelancers", "what does the law say about late payment interest",
        "read https://acme.example/about and tell me what they do", "google the average day rate of designers",
        "check the web for Stark's new product", "dig up some facts on heat pumps", "research the market for podcasts",
        "find sources on remote work productivity", "look into the GDPR rules for newsletters",
        "find information about the trade fair in Hanover", "what is a reverse charge invoice", "investigate who owns Wonka Ltd",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "look up the mileage allowance for 2026", "research what Tyrell charges", "find out the deadline for the VAT return",
        "search the web for icon libraries", "look into co-working spaces in Lyon",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "who is Globex", "what did Acme say about the price", "find a time with Bob", "what's the weather",
        "summarise the attached PDF",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "look up {query}",
        "research {query}",
        "find out {query}",
        "search for {query}",
    )
    command: ClassVar[str] = "research"
    query: str = ""


class Summarise(Intent):
    """Summarise a text, a thread or a page."""

    examples: ClassVar[tuple[str, ...]] = (
        "summarise the thread with Acme", "give me the gist of this document", "tl;dr of the contract",
        "summarize the last mails from Globex", "what does this PDF say in short", "boil the briefing down to five points",
        "short version of the article please", "summary of https://globex.example/news", "sum up the meeting notes",
        "key points of the attached file", "condense this to a paragraph", "summarise what Initech wrote",
        "recap the conversation with Bob", "main takeaways from the report", "make a summary of the call notes",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "summarise the mails with Hooli", "give me a summary of this page", "tldr of the attached document",
        "what are the key points of the brief", "sum up our talk with Stark",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "write a report about last month", "give me the digest", "look up Acme", "write a post about the report",
        "what happened today",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("summarise {what}", "summarize {what}", "tl;dr {what}", "summary of {what}")
    command: ClassVar[str] = "summarise"
    what: str = ""


class Report(Intent):
    """Write a report with numbers and a picture."""

    examples: ClassVar[tuple[str, ...]] = (
        "monthly report", "report for last quarter", "make a report about this year", "how did we do last month, with charts",
        "show a chart of income by client", "weekly review", "give me the numbers for October", "business report please",
        "plot the invoices per month", "performance review of the last 90 days", "analyse the year so far",
        "create a report for my accountant about Q3", "graph our growth", "annual report 2025", "statistics for this month",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "report on last month please", "make a chart of the last quarter", "monthly review with graphs",
        "give me a report of Q2", "plot how the year is going",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "revenue last month", "summarise the report from Acme", "status of the Acme project", "report a bug",
        "time saved this week",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("report", "report for {period}", "monthly report", "weekly review")
    command: ClassVar[str] = "report"
    period: Period | None = None
    client: ClientName | None = None


class TimeSaved(Intent):
    """Say how much time was saved and how often I was overruled."""

    examples: ClassVar[tuple[str, ...]] = (
        "how much time did you save me?", "time saved this month", "are you worth it", "hours saved so far",
        "how many tasks did you take off my hands", "how often did I correct you", "override rate this week",
        "your failure rate", "how many drafts did I approve unchanged", "what's your track record", "show your performance",
        "how reliable were you last month", "minutes saved last week", "how well are you doing", "your success rate",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "how many hours have you saved me", "how often are you wrong", "time saved last quarter",
        "how good were you this week", "share of drafts I changed",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "how many hours did I work", "what do the models cost", "save this file", "revenue this month", "track my time",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("time saved", "time saved {period}")
    command: ClassVar[str] = "saved"
    period: Period | None = None


class Triage(Intent):
    """Go through support requests and sort them."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "go through the support inbox", "triage new tickets", "sort the incoming mails", "any support requests?",
        "what did customers write today", "check the support mail", "handle the new support requests",
        "which tickets are urgent", "process the inbox", "look at the complaints that came in", "new customer questions?",
        "prioritise the open tickets", "show unanswered customer mails", "work through the helpdesk", "inbox triage please",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "triage the inbox", "are there new support tickets", "go through customer mails", "sort today's requests by urgency",
        "process new tickets",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "reply to Acme's mail", "what's waiting for me", "open a ticket with my bank", "write a mail to Globex",
        "delete all mails",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = ("triage", "triage the inbox", "check the inbox")
    command: ClassVar[str] = "triage"


class ReplyMail(Intent):
    """Answer a mail that came in."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "reply to Acme's mail", "answer Bob's question about the invoice", "respond to the last mail from Globex",
        "write back to Initech that it's fine", "reply: we'll deliver on Monday", "answer that customer politely",
        "send a reply to Hooli's complaint", "get back to Stark on their question", "answer the ticket about the login",
        "respond with our opening hours", "reply yes to Umbrella", "answer Wayne's mail and say thanks",
        "draft a reply to the angry customer", "reply to her that we can't", "answer the support request of Tyrell",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "answer Globex's mail", "reply to the customer that we are on it", "respond to Wayne's ticket",
        "write back to Bob that Tuesday works", "draft an answer to Acme's complaint",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "write to Acme that we moved", "did Acme reply", "answer the phone", "triage the inbox", "follow up with Globex",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "reply to {client}: {what}",
        "answer {client}: {what}",
        "reply to {client} that {what}",
    )
    client: ClientName | None = None
    what: str = ""


class PlanDelivery(Intent):
    """Plan a project's work with checkpoints."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "plan the delivery for Acme", "set up milestones for the Globex website", "make a project plan for Initech",
        "break the Hooli redesign into steps with dates", "schedule the work for Stark until end of March",
        "create checkpoints for the Umbrella audit", "plan the project with Wayne, start next Monday",
        "lay out the phases of the branding job for Acme", "new project for Globex: shop relaunch, deadline 15 December",
        "map out the work packages for Tyrell", "plan the rollout at Initech", "add a milestone for the Acme project on Friday",
        "organise the delivery of the Hooli app", "start the project for Stark", "kick off the work for Wonka with a timeline",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "plan the work for the Globex shop", "make milestones for Umbrella", "set up the project plan for Wayne's app",
        "break down the Acme audit into phases", "new project for Hooli, due end of January",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "status of the Acme project", "plan my holidays", "make a plan to win more clients", "book a meeting about the project",
        "write a proposal for the project",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "plan the delivery for {client}",
        "project plan for {client}",
        "plan {what} for {client} by {due}",
    )
    client: ClientName | None = None
    what: str = ""
    due: Day | None = None


class ProjectStatus(Intent):
    """Say how a project stands."""

    examples: ClassVar[tuple[str, ...]] = (
        "status of the Acme project", "how is the Globex website going?", "are we on track with Initech",
        "which projects are late", "what's the next milestone for Hooli", "project overview", "list running projects",
        "how far are we with Stark", "what is left to do for Umbrella", "when is the Wayne delivery due",
        "show all open projects", "progress on the redesign", "deadlines this month", "is the Tyrell project behind",
        "where are we on the audit",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "how is the project for Stark going", "progress of the Globex shop", "which milestones are overdue",
        "status of all projects", "what's left on the Acme audit",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "plan the project for Acme", "which invoices are overdue", "what's stuck", "report for last month", "who is Acme",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "project status",
        "projects",
        "status of {client}",
        "how is {client}'s project going",
    )
    command: ClassVar[str] = "projects"
    client: ClientName | None = None


MISSING: tuple[type[Intent], ...] = (
    WritePost, PublishPost, SchedulePost, CancelPost, PostNumbers, LookUp, Summarise, Report, TimeSaved, Triage, ReplyMail,
    PlanDelivery, ProjectStatus,
)  # fmt: skip


def everything() -> list[type[Intent]]:
    """Return every intent there is or will be: the house's own first, then what stands in for the missing."""
    found = [intent for agent in discover().values() for intent in agent.intents]
    ids = {intent.id() for intent in found}
    return [
        *found,
        *(i for i in CONTROL if i.id() not in ids),
        *(i for i in MISSING if i.id() not in ids),
    ]

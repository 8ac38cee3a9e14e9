"""Content: posts from brief to published, and what became of them.

A post is a record: drafted, scheduled, published, withdrawn. Publishing names the text that was seen; the fingerprint
of the card binds it. Without a model the draft is the brief put into sentences, and says so.

Two versions can be tried against each other: each is a post of its own at its own time (``rival`` names the other). What is
on Bluesky is counted two days later, and the one that did better is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Task, Write, local_now
from agents.directory import cited, free_key, slug
from agents.edits import with_edits
from agents.letter import facts_changed, moment_words, pinned, prompt
from agents.slots import Day, Moment
from agents.slots.grammar import find_spans
from connectors.base import ConnectorError
from memory.events import Json, Origin

LENGTH_MAX = {"bluesky": 300, "blog": 20_000}  # graphemes of a Bluesky post (app.bsky.feed.post); a blog's own taste
CHANNEL_DEFAULT = "bluesky"
LISTED_MAX = 10
FACTS_MAX = 3  # remembered lines that go into a draft
COUNTED_AFTER = timedelta(days=2)  # when most of what a post will get is there, and every post is as old as its rival
RIVAL_LATER = timedelta(days=2)  # the second version goes out at the same hour of another day
COUNTS = {"likes": "like", "reposts": "repost", "replies": "reply", "quotes": "quote"}

_TOPIC = re.compile(r"\b(?:about|on|announcing|saying)\b\s+(?:that )?(.+?)[.!]?$", re.IGNORECASE | re.DOTALL)
_BOTH = re.compile(r"\b(?:both|two|the 2) (?:versions|variants|texts)\b|\ba\s*/\s*b\b|\ba and b\b", re.IGNORECASE)
_CHANNEL = re.compile(r"\b(blog|bluesky|bsky|skeet|article)\b", re.IGNORECASE)


class WritePost(Intent):
    """Draft a post."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "write a post about our new workshop",
        "draft a blog article on pricing for freelancers",
        "I need a Bluesky post announcing the launch",
        "make a post: we are hiring a summer intern",
        "write something for social media about the award",
        "post idea: how we saved Acme ten hours a week, draft it",
        "compose a short post about remote work",
        "draft an announcement that the beta is open",
        "write two versions of a post about the discount",
        "blog post about invoices with e-invoicing please",
        "turn my notes on the fair into a post",
        "write a skeet about today's talk",
        "prepare a post for the holiday closing",
        "a post about the redesign of our site, friendly tone",
        "wirte a post abuot the new logo",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "draft a post on our tenth birthday",
        "write a blog article about time tracking",
        "make a Bluesky post about the podcast",
        "compose a post that the shop is open again",
        "I want a post about sustainable packaging",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "publish the post",
        "schedule the post for Friday",
        "write Acme that the draft is ready",
        "summarise this article",
        "go to the post office",
        "how did the last post do?",
    )
    patterns: ClassVar[tuple[str, ...]] = ("write a post about {topic}", "post: {topic}", "draft a post about {topic}")
    asks: ClassVar[Mapping[str, str]] = {"topic": "What is the post about?"}

    topic: str = ""
    channel: str = ""


class PublishPost(Intent):
    """Publish a post that was drafted."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("bluesky.post", "blog.publish")
    examples: ClassVar[tuple[str, ...]] = (
        "publish the post",
        "post it now",
        "publish the draft about the workshop",
        "put the article on the blog",
        "send the post out",
        "go live with the launch post",
        "publish version b",
        "put that on Bluesky",
        "release the blog post",
        "the draft is fine, publish",
        "make the post public",
        "share the post about hiring",
        "push the announcement live",
        "tweet it out",
        "publsh the post on pricing",
        "publish the blog article",
        "put the launch announcement online",
        "share it on Bluesky",
        "publish the article right now",
        "post the draft on hiring",
        "put it on the blog now",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "publish the blog article now",
        "post the draft about remote work",
        "put the announcement online",
        "go ahead and publish the logo post",
        "share it on Bluesky now",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "write a post about the launch",
        "schedule the post for Tuesday",
        "delete the post",
        "post the letter to Acme",
        "send the invoice",
        "how many people saw the post?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "publish the post",
        "publish {post}",
        "post it now",
        "publish it",
        "put it online",
        "publish now",
        "put the post online",
    )

    post: str = ""
    variant: str = ""


class SchedulePost(Intent):
    """Publish a post at a later time; it still asks then unless your rules let it run."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "schedule the post for Friday at 9",
        "publish the draft tomorrow at noon",
        "post it on Monday morning at 8",
        "queue the blog article for 1 December 10:00",
        "put the launch post out next Tuesday at 3pm",
        "let the post go live on Thursday at 7",
        "plan the post about hiring for Wednesday 9am",
        "time the announcement for 14:00 tomorrow",
        "hold the post until Sunday at 18:00",
        "schedule the skeet for tonight at 8",
        "publish that next week Monday at 9",
        "set the workshop post for the 5th at 10",
        "send the post out on Saturday at 11",
        "post the article in two hours",
        "scedule post friday 9am",
        "schedule the blog article for Thursday at 9",
        "time the skeet for Monday at 8",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "schedule the blog post for Tuesday at 8:30",
        "publish the announcement on 3 December at 9",
        "queue the draft for tomorrow morning at 7",
        "put the pricing post out on Friday at noon",
        "let the draft go out on Monday 10:00",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "schedule a meeting for Friday at 9",
        "publish the post now",
        "remind me on Friday to write a post",
        "cancel the scheduled post",
        "which posts are planned?",
        "schedule an invoice for the first",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "schedule the post for {when}",
        "schedule {post} for {when}",
        "schedule it for {when}",
        "post it {when}",
        "publish it {when}",
        "publish {post} {when}",
        "publish the post {when}",
    )
    asks: ClassVar[Mapping[str, str]] = {"when": "When shall it be published?"}

    post: str = ""
    when: Moment | None = None
    day: Day | None = None


class CancelPost(Intent):
    """Stop a scheduled post, or take a published one down."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("books.write", "bluesky.delete", "blog.unpublish")
    examples: ClassVar[tuple[str, ...]] = (
        "cancel the post",
        "take the post down",
        "delete the Bluesky post",
        "don't publish the article on Friday",
        "unpublish the blog post",
        "remove the post about hiring",
        "stop the scheduled post",
        "pull the announcement",
        "withdraw the launch post",
        "the post has a typo, take it offline",
        "delete that skeet",
        "call off the post for Monday",
        "cancel version b of the post",
        "unschedule the draft",
        "retract the post about prices",
        "cancle the scheduled article",
        "don't send the post out",
        "do not publish it after all",
        "take the hiring article offline",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "take down the workshop post",
        "cancel the scheduled blog article",
        "delete the last post",
        "please unpublish the announcement",
        "don't send out the post after all",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel the meeting",
        "cancel 2026-0001",
        "publish the post",
        "delete my account",
        "move the post to Friday",
        "remove Acme from the client list",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "cancel the post",
        "take the post down",
        "cancel post {post}",
        "take it down",
        "take that post down",
        "unschedule {post}",
        "unpublish {post}",
        "don't publish {post}",
        "do not publish {post}",
        "don't post it",
    )

    post: str = ""


class PostNumbers(Intent):
    """Say how posts did, and which version did better."""

    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "how did the last post do?",
        "post statistics",
        "how many likes did the launch post get?",
        "which post worked best?",
        "show the numbers of our posts",
        "engagement on Bluesky this month",
        "did version a or b win?",
        "how many people saw the article?",
        "performance of the blog",
        "list our posts",
        "what did we publish last week?",
        "which drafts do we have?",
        "views of the pricing post",
        "are any posts scheduled?",
        "post stats pls",
        "how is the launch post doing?",
        "is the workshop post doing well?",
        "reach of the last skeet",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "how is the hiring post doing?",
        "show me post performance",
        "how many reposts did we get?",
        "which of our articles was read most?",
        "what posts are planned?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "write a post about our numbers",
        "revenue last month",
        "how many clients do we have?",
        "weekly report",
        "publish the post",
        "how much time did you save me?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "post statistics",
        "list our posts",
        "how did the last post do",
        "post stats",
        "post numbers",
        "stats of our posts",
        "how are my posts doing",
    )

    post: str = ""
    keep: str = ""  # "yes": the numbers go on the books, as a post asks for itself once it is old enough


class Content(Agent):
    """Writes posts, and proposes when and where they go out."""

    intents = (WritePost, PublishPost, SchedulePost, CancelPost, PostNumbers)
    proposes = ("books.write", "bluesky.post", "bluesky.delete", "blog.publish", "blog.unpublish")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do one request about posts."""
        match task.intent:
            case WritePost() as wish:
                return await _write(wish, task, desk)
            case PublishPost() as wish:
                return _publish(wish, task, desk)
            case SchedulePost() as wish:
                return _schedule(wish, task, desk)
            case CancelPost() as wish:
                return _cancel(wish, task, desk)
            case PostNumbers() as wish:
                return await (_kept(wish.post, desk) if wish.keep else _numbers(desk))
        raise NotImplementedError(f"content does not know {task.intent.id()!r}")


async def _write(wish: WritePost, task: Task, desk: Desk) -> Proposal:
    topic = (wish.topic or _found(_TOPIC, task.text)).strip(" .")
    if not topic:
        return Proposal(ask="What is the post about?")
    channel = _channel(wish.channel or _found(_CHANNEL, task.text))
    recalled = await desk.recall(topic, k=FACTS_MAX)
    known = [found for found in recalled if found.origin in {Origin.OPERATOR, Origin.SYSTEM}]
    brief = _sentence(topic)
    text, reasons = await _worded(desk, task, brief, [found.text for found in known], channel)
    if len(text) > LENGTH_MAX[channel]:
        return Proposal(
            ask=f"The draft has {len(text)} characters; {channel} takes {LENGTH_MAX[channel]}. "
            "Shorter, or for the blog?",
            choices=(Choice(label="For the blog", text=f"write a blog post about {topic}"),),
        )
    key = free_key(desk, "post", slug(topic)[:40].strip("-") or "post")
    variants = {"a": text, "b": _question(topic, text)}
    data: dict[str, Json] = {
        "title": brief.rstrip("."), "text": text, "channel": channel, "status": "draft", "variants": variants,
    }  # fmt: skip
    call = ActionCall(
        name="books.write",
        args={"summary": f"Draft for {channel}: {brief}", "fields": {"Text": text, "Or": variants["b"], "Post": key}},
        writes=(Write(kind="post", key=key, data=data),),
        needs={f"post:{key}": 0},
    )
    return Proposal(calls=(call,), results={"post": key, "text": text, "channel": channel}, reasons=reasons)


async def _worded(desk: Desk, task: Task, brief: str, facts: list[str], channel: str) -> tuple[str, tuple[str, ...]]:
    wanted = f" The operator wants: {task.guidance}" if task.guidance else ""
    ask = f"{prompt('content')}\n\nFor {channel}, at most {LENGTH_MAX[channel]} characters.{wanted}\nBrief: {brief}"
    thought = await desk.think("post", ask, material=[(Origin.OPERATOR, fact) for fact in facts])
    text = thought.text.strip()
    if thought.problem or not text:
        return brief, ("No model wrote this: it is your brief in a sentence. Edit it before it goes out.",)
    # A post may leave facts out, and may not bring any that nobody gave it.
    if invented := facts_changed("", text, allowed=" ".join([brief, task.text, task.guidance, *facts])):
        return brief, (f"A model's draft was put away, because it named {invented}, which nobody gave it.",)
    return text, (f"Written by {thought.model or 'a model'} from your brief and {len(facts)} remembered facts.",)


def _publish(wish: PublishPost, task: Task, desk: Desk) -> Proposal:
    known = desk.record("post", wish.post)
    if known and not task.text and known.data["status"] == "published":
        return Proposal(say=f"{known.data['title']!r} was published before its time, so nothing is left to do.")
    post = _meant(wish.post, task, desk, ("draft", "scheduled"))
    if isinstance(post, Proposal):
        return post
    variant = wish.variant.casefold() or _variant(task.text)
    text = str(post.data["variants"].get(variant) or post.data["text"]) if variant else str(post.data["text"])
    after = {**post.data, "text": text, "status": "published", "variant": variant or post.data.get("variant") or "a"}
    after["published"] = local_now(desk).isoformat()
    going = _going_out(post.key, str(post.data["channel"]), str(post.data["title"]), text)
    counted = () if post.data["channel"] == "blog" else (_to_count(post, desk),)
    writes = (Write(kind="post", key=post.key, data=after), *counted)
    call = ActionCall(name=going["name"], args=going["args"], writes=writes, needs=pinned(post))
    return Proposal(calls=(call,), results={"post": post.key}, sources=cited(post))


def _going_out(key: str, channel: str, title: str, text: str) -> dict[str, Json]:
    """Return what publishing a post is, as a call: a plan names it whole, so that the yes to the plan is a yes to it."""
    if channel == "blog":
        return {"name": "blog.publish", "args": {"slug": key, "title": title, "body": text}}
    return {"name": "bluesky.post", "args": {"text": text, "name": key}}


def _to_count(post: Record, desk: Desk) -> Write:
    """Return the schedule by which a post on Bluesky is counted once it is old enough."""
    data: dict[str, Json] = {
        "kind": "schedule", "agent": "content", "intent": "post_numbers", "slots": {"post": post.key, "keep": "yes"},
        "next": (local_now(desk) + COUNTED_AFTER).isoformat(timespec="seconds"), "rule": "",
        "text": f"Count how {post.data['title']!r} did",
    }  # fmt: skip
    return Write(kind="schedule", key=f"numbers-{post.key}", data=data)


def _schedule(wish: SchedulePost, task: Task, desk: Desk) -> Proposal:
    both = bool(_BOTH.search(task.text))
    post = _meant(wish.post, task, desk, ("draft", "scheduled"), second=not both)
    if isinstance(post, Proposal):
        return post
    when = wish.when or (datetime.fromisoformat(f"{wish.day}T09:00:00").replace(tzinfo=desk.zone) if wish.day else None)
    if when is None:
        return Proposal(ask=f"When shall {post.data['title']!r} be published?")
    if when <= desk.now:
        return Proposal(ask=f"{moment_words(when.astimezone(desk.zone))} has passed. When shall it be published?")
    local = when.astimezone(desk.zone)
    if both:
        return _tried(post, *_two_times(local, task.text, desk), desk)
    variant = _variant(task.text)
    data = dict(post.data)
    if variant in post.data["variants"]:
        data |= {"text": post.data["variants"][variant], "variant": variant}
    summary = f"Publish {post.data['title']!r} on {post.data['channel']}, {moment_words(local)}"
    call = ActionCall(
        name="books.write",
        args={"summary": summary, "fields": {"Text": data["text"], "When": local.isoformat()}},
        writes=_planned(post.key, data, local, summary),
        needs=pinned(post),
    )
    return Proposal(calls=(call,), results={"post": post.key, "when": local.isoformat()}, sources=cited(post))


def _planned(key: str, data: Mapping[str, Json], when: datetime, summary: str) -> tuple[Write, ...]:
    schedule: dict[str, Json] = {
        "kind": "schedule", "agent": "content", "intent": "publish_post", "slots": {"post": key},
        "next": when.isoformat(), "rule": "", "text": summary,
        "call": _going_out(key, str(data["channel"]), str(data["title"]), str(data["text"])),
    }  # fmt: skip
    return (
        Write(kind="post", key=key, data={**data, "status": "scheduled", "when": when.isoformat()}),
        Write(kind="schedule", key=f"post-{key}", data=schedule),
    )


def _two_times(when: datetime, text: str, desk: Desk) -> tuple[datetime, datetime]:
    """Return when each version goes out: as it was said, or the second at the same hour of a later day."""
    said = find_spans(text, desk.now, desk.zone, desk.company.get("locale", "en"))
    moments = [each.value.astimezone(desk.zone) for each in said if isinstance(each.value, datetime)]
    if len(moments) < 2:  # noqa: PLR2004 - one for each version
        return when, when + RIVAL_LATER
    first, second = moments[:2]
    weeks = max(0, (first - second).days // 7 + 1) if second <= first else 0
    return first, second + timedelta(weeks=weeks)  # "Friday and Monday" is the Monday behind that Friday


def _tried(post: Record, first: datetime, second: datetime, desk: Desk) -> Proposal:
    """Plan both versions, each a post of its own, so that each is seen, cancelled and counted by itself."""
    title, variants = str(post.data["title"]), post.data["variants"]
    before = desk.record("post", str(post.data.get("rival") or ""))
    if before and before.data["status"] not in {"draft", "scheduled"}:
        before = None  # that trial is over
    rival = before.key if before else free_key(desk, "post", f"{post.key}-b")
    a = {**post.data, "text": variants["a"], "variant": "a", "rival": rival}
    b = {**post.data, "title": f"{title} (version b)", "text": variants["b"], "variant": "b", "rival": post.key}
    summary = (
        f"Try two versions of {title!r} on {post.data['channel']}: a {moment_words(first)}, b {moment_words(second)}"
    )
    fields: dict[str, Json] = {"Version a": a["text"], "Version b": b["text"]}
    call = ActionCall(
        name="books.write",
        args={"summary": summary, "fields": fields},
        writes=(
            *_planned(post.key, a, first, f"Publish {title!r}, version a"),
            *_planned(rival, b, second, f"Publish {title!r}, version b"),
        ),
        needs={**pinned(post), f"post:{rival}": before.version if before else 0},
    )
    return Proposal(calls=(call,), results={"post": post.key, "rival": rival}, sources=cited(post))


def _cancel(wish: CancelPost, task: Task, desk: Desk) -> Proposal:
    post = _meant(wish.post, task, desk, ("scheduled", "published"))
    if isinstance(post, Proposal):
        return post
    if post.data["status"] == "scheduled":
        gone = _unplanned(f"post-{post.key}", desk)
        call = ActionCall(
            name="books.write",
            args={
                "summary": f"Not published: {post.data['title']}",
                "fields": {"Was planned for": post.data.get("when", "")},
            },
            writes=(Write(kind="post", key=post.key, data={**post.data, "status": "draft"}), *gone),
            needs=pinned(post),
        )
        return Proposal(calls=(call,), results={"post": post.key}, sources=cited(post))
    after = (
        Write(kind="post", key=post.key, data={**post.data, "status": "withdrawn"}),
        *_unplanned(f"numbers-{post.key}", desk),
    )
    if post.data["channel"] == "blog":
        down = ActionCall(name="blog.unpublish", args={"slug": post.key}, writes=after, needs=pinned(post))
        return Proposal(calls=(down,), results={"post": post.key}, sources=cited(post))
    # A post is found by the name it was posted under, which is its key.
    where = post.data.get("ref") or post.key
    down = ActionCall(name="bluesky.delete", args={"uri": where}, writes=after, needs=pinned(post))
    return Proposal(calls=(down,), results={"post": post.key}, sources=cited(post))


def _unplanned(key: str, desk: Desk) -> tuple[Write, ...]:
    plan = desk.record("schedule", key)
    return (Write(kind="schedule", key=key, data=dict(plan.data), gone=True),) if plan else ()


async def _numbers(desk: Desk) -> Proposal:
    posts = sorted(desk.records("post"), key=lambda record: record.at, reverse=True)[:LISTED_MAX]
    if not posts:
        return Proposal(say="There are no posts yet. For example: write a post about our new workshop")
    rows, kept = ["Posts, newest first:"], []
    found: dict[str, Mapping[str, Json]] = {}
    for post in posts:
        numbers, fresh = await _counted(post, desk)
        found[post.key] = numbers
        what = f", version {post.data['variant']}" if post.data.get("variant") else ""
        counted = _words(numbers) or "no numbers yet"
        rows.append(f"- {post.data['title']} ({post.data['channel']}, {_stands(post, desk)}{what}): {counted}")
        if fresh:
            kept.append(_remembered(post, counted, desk))
    for post in posts:
        rival = desk.record("post", str(post.data.get("rival") or ""))
        of_a, of_b = found[post.key], found.get(rival.key if rival else "")
        if rival and post.data.get("variant") == "a" and of_a and of_b:
            # At the same age where both were counted at it; else as they stand.
            rows.append(_better(post, post.data.get("numbers") or of_a, rival.data.get("numbers") or of_b))
    return Proposal(say="\n".join(rows), sources=cited(*posts), remember=tuple(kept))


async def _kept(key: str, desk: Desk) -> Proposal:
    """Put a post's numbers on the books and into memory, and say which of two versions did better."""
    post = desk.record("post", key)
    if post is None or post.data["status"] != "published":
        return Proposal(say=f"There is no post {key!r} to count any more.")
    numbers, fresh = await _counted(post, desk)
    if not fresh:
        return Proposal(problem=f"How {post.data['title']!r} does cannot be read now. Ask later: how did my posts do?")
    counted, compared = _words(numbers), ""
    rival = desk.record("post", str(post.data.get("rival") or ""))
    if rival and rival.data.get("numbers"):
        pair = (numbers, rival.data["numbers"])
        compared = " " + _better(post, *(pair if post.data["variant"] == "a" else pair[::-1]))
    call = ActionCall(
        name="books.write",
        args={"summary": f"{post.data['title']!r} after {COUNTED_AFTER.days} days: {counted}.{compared}"},
        writes=(Write(kind="post", key=key, data={**post.data, "numbers": dict(numbers)}),),
        needs=pinned(post),
    )
    return Proposal(calls=(call,), sources=cited(post), remember=(_remembered(post, counted, desk, compared),))


def _stands(post: Record, desk: Desk) -> str:
    """Return how a post stands; one whose schedule is gone, as after an undo, is a draft again."""
    status = str(post.data["status"])
    return "draft" if status == "scheduled" and desk.record("schedule", f"post-{post.key}") is None else status


def _words(numbers: Mapping[str, Json]) -> str:
    """``{"likes": 1, "replies": 2}`` → ``"1 like, 2 replies"``."""
    known = [(name, int(numbers[name])) for name in COUNTS if name in numbers]
    return ", ".join(f"{count} {COUNTS[name] if count == 1 else name}" for name, count in known)


def _better(post: Record, a: Mapping[str, Json], b: Mapping[str, Json]) -> str:
    """Return which of two versions did better, by everything readers did with it."""
    title = str(post.data["title"]).removesuffix(" (version b)")
    of_a, of_b = (sum(int(numbers.get(name) or 0) for name in COUNTS) for numbers in (a, b))
    if of_a == of_b:
        return f"Both versions of {title!r} did the same: {of_a} reactions each."
    better = "a" if of_a > of_b else "b"
    return f"Version {better} of {title!r} did better: {max(of_a, of_b)} reactions, the other {min(of_a, of_b)}."


async def _counted(post: Record, desk: Desk) -> tuple[Mapping[str, Json], bool]:
    """Return a post's numbers, and whether they were read just now; what cannot be asked keeps what is on the books."""
    known = post.data.get("numbers") or {}
    if post.data["channel"] != CHANNEL_DEFAULT or post.data["status"] != "published":
        return known, False
    try:
        receipt = await desk.use("bluesky.numbers", uri=str(post.data.get("ref") or post.key))
    except (ConnectorError, PermissionError):
        return known, False
    return receipt.data["numbers"], True


def _remembered(post: Record, counted: str, desk: Desk, compared: str = "") -> dict[str, Json]:
    """What long-term memory keeps of how a post did: which words, which version, which numbers, when."""
    version = f", version {post.data['variant']}" if post.data.get("variant") else ""
    return {
        "text": f"The post {post.data['title']!r}{version} on {local_now(desk):%d %B %Y} had {counted}: "
        f"{post.data['text']}{compared}",
        "client": "",
        "speaker": "",
        "author": "",
        "origin": Origin.SYSTEM.value,
        "thread": "",
        "source": f"post:{post.key}",
    }


def _meant(said: str, task: Task, desk: Desk, states: tuple[str, ...], *, second: bool = True) -> Record | Proposal:
    """Return the one post that is meant: by key, by words of its title, or the only one in such a state.

    Args:
        said: Its key, or words.
        task: For all the words there are.
        desk: For the records.
        states: How it may stand.
        second: Whether a second version counts as a post of its own.
    """
    fitting = [
        record
        for record in desk.records("post")
        if record.data["status"] in states and (second or record.data.get("variant") != "b")
    ]
    if said and (exact := desk.record("post", said)) is not None:
        return exact if exact in fitting else Proposal(problem=f"{exact.data['title']!r} is {exact.data['status']}.")
    words = set(re.findall(r"\w{4,}", f"{said} {task.text}".casefold()))
    hits = {
        record.key: len(words & set(re.findall(r"\w{4,}", str(record.data["title"]).casefold()))) for record in fitting
    }
    best = max(hits.values(), default=0)
    named = [record for record in fitting if hits[record.key] == best] if best else fitting
    if len(named) == 1:
        return named[0]
    if not named:
        return Proposal(
            problem=f"There is no post that is {' or '.join(states)}. 'list our posts' shows what there is."
        )
    verb = task.intent.id().partition("_")[0]
    return Proposal(
        ask="Which post?",
        choices=tuple(Choice(label=str(r.data["title"]), text=f"{verb} the post {r.data['title']}") for r in named[:6]),
    )


def _channel(said: str) -> str:
    return "blog" if said.casefold() in {"blog", "article"} else CHANNEL_DEFAULT


def _variant(text: str) -> str:
    found = re.search(r"\b(?:version|variant)\s+([ab])\b", text, re.IGNORECASE)
    return found[1].casefold() if found else ""


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _sentence(text: str) -> str:
    flat = re.sub(r"\s+", " ", text).strip()
    return flat[0].upper() + flat[1:] + ("" if flat[-1] in ".!?" else ".")


def _question(topic: str, text: str) -> str:
    """The second version opens with a question, so that the two can be compared."""
    return f"Have you heard about {topic}? {text}"

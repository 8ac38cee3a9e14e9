"""A blog as Markdown files in a git repository, as most static site generators read it.

A post is a file with a stable path, ``posts/<slug>.md``. Publishing it is a commit with the effect's key in a trailer;
taking it down is a commit as well, so nothing is ever lost. With a remote the commit is pushed, and what builds the site
does the rest. A date in the future stands in the front matter: the generator shows the post from then on.

Source: https://gohugo.io/content-management/front-matter/, https://jekyllrb.com/docs/front-matter/ (title, date)
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from connectors.base import (
    Body,
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    Health,
    Json,
    Plumbing,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Role,
    Setting,
    Subject,
    When,
    Workshop,
    action,
)
from connectors.blog_git import Change, Made, Repository, Run, run_git

BODY_MAX = 500_000  # characters; a book is not a post
TITLE_MAX = 300
VARIANTS_MAX = 5
FOREVER = 10 * 365 * 24 * 3600.0  # the key stays in the history

Variants = Annotated[dict[str, str], Role.BODY]

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def _back(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    if receipt.data.get("existed"):
        return "blog.put_back", {"slug": arguments["slug"], "commit": receipt.data["before"]}
    return "blog.unpublish", {"slug": arguments["slug"]}


class Blog(Connector):
    """The company's blog."""

    service = "blog"
    settings = (
        Setting("BLOG_FOLDER", "Folder of the blog's git repository on this machine"),
        Setting("BLOG_POSTS", "Where posts lie in it", default="posts"),
        Setting("BLOG_BRANCH", "The branch that is published", default="main"),
        Setting("BLOG_REMOTE", "Remote to push to, such as origin; empty: commits stay on this machine"),
        Setting("BLOG_ADDRESS", "Where a post is read, such as https://blog.example.com/{slug}/; empty: not said"),
        Setting("BLOG_AUTHOR", "Who commits", default="Soloist <soloist@localhost>"),
    )

    def __init__(self, workshop: Workshop, repository: Repository, *, posts: str, address: str = "") -> None:
        self._workshop = workshop
        self._repository = repository
        self._posts = posts
        self._address = address

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop, run: Run = run_git) -> Self | None:
        """Build the connector, or return None without a folder.

        Raises:
            RefusedError: A setting makes no sense.
        """
        if not values["BLOG_FOLDER"].strip():
            return None
        folder = Path(values["BLOG_FOLDER"].strip()).expanduser()
        posts, branch = values["BLOG_POSTS"].strip().strip("/"), values["BLOG_BRANCH"].strip()
        if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", posts) or {"..", ".git", "."} & set(
            posts.split("/")
        ):
            raise RefusedError("BLOG_POSTS must be a folder inside the repository, such as content/posts.")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch) or ".." in branch:
            raise RefusedError("BLOG_BRANCH must be the name of a branch, such as main.")
        remote, author = values["BLOG_REMOTE"].strip(), values["BLOG_AUTHOR"].strip()
        if remote and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", remote):
            raise RefusedError("BLOG_REMOTE must be the name of a remote, such as origin; its address stays with git.")
        if not re.fullmatch(r"[^<>\n]{1,100} <[^<>\s]{3,200}>", author):
            raise RefusedError("BLOG_AUTHOR must look like Anna Berg <anna@berg.example>.")
        repository = Repository(folder, branch, remote, author, run)
        return cls(workshop, repository, posts=posts, address=values["BLOG_ADDRESS"].strip())

    @property
    def account(self) -> str:
        """Which blog."""
        where = f"{self._repository.remote}/" if self._repository.remote else ""
        return f"{self._repository.folder.name}:{where}{self._repository.branch}"

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="publish a blog post",
        undo=_back,
        delayed=True,
        key_window_s=FOREVER,
        timeout_s=120.0,
        rate_per_minute=20,
    )
    async def publish(
        self, *, slug: Reference, title: Subject, body: Body, key: str, date: When = "", variant: Detail = "",
        variants: Variants | None = None,
    ) -> Receipt:  # fmt: skip
        """Publish a post, or a new version of one.

        Args:
            slug: Its name in addresses, small letters and hyphens; the same slug is the same post.
            title: Its title.
            body: Its text as Markdown.
            key: Stable key; the blog gets one commit of it.
            date: From when on it is shown, ISO 8601; empty: from now on.
            variant: Which version this is, when there are several: a or b.
            variants: All versions by name, kept in the front matter to be compared.

        Returns:
            ``ref`` the commit; ``data``: slug, path, commit, before, existed, address, date.

        Raises:
            RefusedError: Something makes no sense, or the folder has changes of its own there.
            TryLaterError: Nothing is published.
            OutcomeUnknownError: The push broke off; the same key may be sent again.
        """
        if len(body) > BODY_MAX or not body.strip() or "\0" in body:
            raise RefusedError(f"A post needs a text, of at most {BODY_MAX} characters.")
        if not title.strip() or len(title) > TITLE_MAX or any(unicodedata.category(c) == "Cc" for c in title):
            raise RefusedError(f"A post needs a title: one line of at most {TITLE_MAX} characters.")
        if not re.fullmatch(r"[a-z0-9]{0,10}", variant) or len(variants or {}) > VARIANTS_MAX:
            raise RefusedError(f"A variant is a short name such as a or b, and there are at most {VARIANTS_MAX}.")
        path = self._path(slug)
        matter: dict[str, Json] = {"title": title, "date": self._date(date), "slug": slug, "draft": False}
        matter |= {"variant": variant} if variant else {}
        matter |= {"variants": dict(variants)} if variants else {}
        made = await self._commit(Change(path, _file(matter, body), f"Publish {title}"), key)
        shown = f" It is shown from {matter['date']}." if date else ""
        return self._receipt(slug, made, f"Published {title!r}.{shown}", date=matter["date"])

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="take a blog post down",
        undo=_back,
        key_window_s=FOREVER,
        timeout_s=120.0,
        rate_per_minute=20,
    )
    async def unpublish(self, *, slug: Reference, key: str) -> Receipt:
        """Take a post down; the history keeps it.

        Args:
            slug: Which post.
            key: Stable key.

        Raises:
            RefusedError: There is no such post, or the folder has changes of its own there.
            TryLaterError, OutcomeUnknownError: As `publish`.
        """
        path = self._path(slug)
        made = await self._commit(Change(path, None, f"Take {slug} down"), key)
        return self._receipt(slug, made, f"Took {slug!r} down.")

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="put a blog post back as it was",
        undo=_back,
        key_window_s=FOREVER,
        timeout_s=120.0,
        rate_per_minute=20,
    )
    async def put_back(self, *, slug: Reference, commit: Plumbing, key: str) -> Receipt:
        """Put a post back as it was at an earlier commit.

        Args:
            slug: Which post.
            commit: The commit at which it was right.
            key: Stable key.

        Raises:
            RefusedError: It was not there then, or the folder has changes of its own there.
            TryLaterError, OutcomeUnknownError: As `publish`.
        """
        path = self._path(slug)
        content = await self._repository.show(commit, path) if _COMMIT.fullmatch(commit) else None
        if content is None:
            raise RefusedError(f"There was no post {slug!r} at {commit[:12]}, so it cannot be put back.")
        made = await self._commit(Change(path, content, f"Put {slug} back"), key)
        return self._receipt(slug, made, f"Put {slug!r} back as it was.")

    @action(Risk.READS, EffectClass.KEYED, says="list the blog posts")
    async def posts(self) -> Receipt:
        """List the posts of the published branch.

        Returns:
            ``data["posts"]``: slug and path of each.

        Raises:
            RefusedError: There is no such branch.
            TryLaterError: git does not answer.
        """
        found = [path for path in await self._repository.paths(self._posts) if path.endswith(".md")]
        rows = [{"slug": Path(path).stem, "path": path} for path in found]
        return Receipt("", f"{len(rows)} posts.", {"posts": rows})

    async def health(self) -> Health:
        """Look whether the branch is there and git runs."""
        try:
            await self._repository.head()
        except ConnectorError as error:
            return Health(ok=False, text=str(error), remedy="Check BLOG_FOLDER and BLOG_BRANCH.")
        remedy = "" if self._repository.remote else "Set BLOG_REMOTE to have posts pushed."
        return Health(ok=True, text=f"The blog in {self._repository.folder.name} is there.", remedy=remedy)

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _commit(self, change: Change, key: str) -> Made:
        return await self._repository.commit(change, key, self._workshop.now())

    def _path(self, slug: str) -> str:
        if len(slug) > 80 or not _SLUG.fullmatch(slug):  # noqa: PLR2004 - a file's name on every system
            raise RefusedError(f"{slug!r} is no name for a post. Use small letters, digits and hyphens: our-workshop.")
        return f"{self._posts}/{slug}.md"

    def _date(self, given: str) -> str:
        if not given:
            return self._workshop.now().isoformat(timespec="seconds")
        try:
            found = datetime.fromisoformat(given)
        except ValueError:
            raise RefusedError(f"{given!r} is no date such as 2026-03-31T09:00:00+02:00.") from None
        if found.tzinfo is None:
            raise RefusedError(f"{given!r} does not say in which time zone; add +02:00 or the like.")
        return found.isoformat(timespec="seconds")

    def _receipt(self, slug: str, made: Made, text: str, **more: Json) -> Receipt:
        address = self._address.replace("{slug}", slug)
        where = f" {address}" if address else ""
        data = {
            "slug": slug, "path": self._path(slug), "commit": made.commit, "before": made.before,
            "existed": made.existed, "address": address, **more,
        }  # fmt: skip
        return Receipt(made.commit, f"{text}{where} Commit {made.commit[:10]}.", data)


def _file(matter: Mapping[str, Json], body: str) -> bytes:
    """Front matter in JSON, line by line, which every reader of YAML reads the same; then the text."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in matter.items()]
    text = body.replace("\r\n", "\n").strip("\n")
    return ("---\n" + "\n".join(lines) + "\n---\n\n" + text + "\n").encode("utf-8", errors="replace")

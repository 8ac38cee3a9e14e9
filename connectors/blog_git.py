"""One file changed in a git repository as one commit, all or nothing, without touching what somebody has in hand.

The commit is made beside the branch (``git fast-import``), pushed if there is a remote, and only then becomes the head of
the local branch, which is a compare-and-swap. A kill at any point leaves the old state or the new one. The effect's key
stands in a trailer of the commit, so an attempt that lost its answer is found by looking.

Source: https://git-scm.com/docs/git-fast-import, git-push, git-update-ref, git-interpret-trailers
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError

KEY = "Soloist-Key"
GIT_S = 30.0  # for one command; a push has a network below it
SHOWN = 300  # characters of git's own words

Run = Callable[[Path, tuple[str, ...], bytes], Awaitable[tuple[int, bytes, str]]]
"""Folder, arguments, input → exit code, output, git's words."""


@dataclass(frozen=True)
class Change:
    """What one commit does to one file: new content, or None to take it away."""

    path: str
    content: bytes | None
    message: str


@dataclass(frozen=True)
class Made:
    """The commit that did it, and the one before."""

    commit: str
    before: str
    existed: bool  # the file was there before


async def run_git(folder: Path, arguments: tuple[str, ...], given: bytes) -> tuple[int, bytes, str]:
    """Run git once; without a terminal, so that it never asks for a password."""
    process = await asyncio.create_subprocess_exec(
        "git", "-C", str(folder), "-c", "core.quotePath=false", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, words = await process.communicate(given)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output, words.decode(errors="replace")


def digest(key: str) -> str:
    """Return how a stable key stands in a public history."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class Repository:
    """A git repository with one branch of ours to write to."""

    def __init__(self, folder: Path, branch: str, remote: str, author: str, run: Run = run_git) -> None:
        self.folder = folder
        self.branch = branch
        self.remote = remote
        self._author = author
        self._run = run
        self._turn = asyncio.Lock()

    @property
    def ref(self) -> str:
        """The full name of the branch."""
        return f"refs/heads/{self.branch}"

    async def commit(self, change: Change, key: str, now: datetime) -> Made:
        """Make one commit of one change, once for each key.

        Raises:
            RefusedError: The file has changes nobody committed, or the remote is ahead.
            TryLaterError: Nothing is published; it may work later.
            OutcomeUnknownError: The push broke off; the same key may be sent again.
        """
        async with self._turn:
            done = await self._published(key)
            head = await self.head()
            if done is None:
                await self._possible(change, head)
                done = await self._make(change, key, now, head)
                await self._push(done)
            parent = await self._text("rev-parse", "--verify", "-q", f"{done}^")
            await self._take_over(done, head, change.path, parent)
            return Made(done, parent, await self.show(parent, change.path) is not None)

    async def head(self) -> str:
        """Return the commit the branch stands at.

        Raises:
            RefusedError: There is no such branch.
        """
        found = await self._text("rev-parse", "--verify", "-q", f"{self.ref}^{{commit}}")
        if not found:
            raise RefusedError(f"{self.folder} has no branch {self.branch!r} with a commit. Make its first commit.")
        if await self._text("rev-parse", "--show-prefix"):
            raise RefusedError(
                f"{self.folder} lies inside a repository. Set BLOG_FOLDER to its top, BLOG_POSTS to the rest."
            )
        return found

    async def show(self, commit: str, path: str) -> bytes | None:
        """Return a file as it was at a commit, or None when it was not there."""
        code, content, _ = await self._git("cat-file", "blob", f"{commit}:{path}")
        return content if code == 0 else None

    async def paths(self, folder: str) -> list[str]:
        """Return the files below a folder of the branch, in order."""
        found = await self._text("ls-tree", "-r", "--name-only", await self.head(), "--", f"{folder}/")
        return found.splitlines()

    async def _published(self, key: str) -> str | None:
        """Return the commit that carries the key: here, or on the remote when we died after the push."""
        places = [self.ref]
        if self.remote:
            code, _, words = await self._git("fetch", "--no-tags", "-q", self.remote, f"+{self.ref}:{self._seen}")
            if code and "couldn't find remote ref" not in words:
                raise TryLaterError(f"The blog's remote cannot be reached: {_words(words)}. Nothing was published.")
            places += [] if code else [self._seen]
        found = await self._text("log", "-1", "--format=%H", f"--grep=^{KEY}: {digest(key)}$", *places)
        return found or None

    @property
    def _seen(self) -> str:
        return f"refs/soloist/seen/{self.branch}"

    async def _possible(self, change: Change, head: str) -> None:
        path = change.path
        if change.content is None and await self.show(head, path) is None:
            raise RefusedError(f"There is no {path} on {self.branch}, so it cannot be taken down.")
        if await self._bare():
            return
        if found := await self._text("status", "--porcelain", "--", path):
            raise RefusedError(
                f"The folder has changes in {path} that are not committed ({found[:2]}). Commit them first."
            )

    async def _make(self, change: Change, key: str, now: datetime, head: str) -> str:
        who = f"{self._author} {int(now.timestamp())} +0000".encode()
        message = f"{change.message}\n\n{KEY}: {digest(key)}\n".encode()
        path = change.path.encode()
        lines = [b"feature done", b"commit refs/soloist/made", b"committer " + who, b"data %d" % len(message)]
        stream = b"\n".join(lines) + b"\n" + message + b"from " + head.encode() + b"\n"
        if change.content is None:
            stream += b"D " + path + b"\n"
        else:
            stream += b"M 100644 inline " + path + b"\ndata %d\n" % len(change.content) + change.content + b"\n"
        code, _, words = await self._git("fast-import", "--quiet", "--force", "--done", given=stream + b"\ndone\n")
        if code:
            raise TryLaterError(f"The blog's repository took no commit: {_words(words)}. Nothing was published.")
        return await self._text("rev-parse", "--verify", "refs/soloist/made")

    async def _push(self, commit: str) -> None:
        if not self.remote:
            return
        try:
            code, output, words = await self._git("push", "--porcelain", self.remote, f"{commit}:{self.ref}")
        except TryLaterError as error:
            raise OutcomeUnknownError(f"The push broke off. {error}") from None
        if code == 0:
            return
        if b"\n!\t" in b"\n" + output:  # the remote answered, and said no
            raise RefusedError(
                f"The blog's remote refused the push: {_words(output.decode(errors='replace'))}. Pull, then ask again."
            )
        raise OutcomeUnknownError(f"The push to the blog's remote failed: {_words(words)}.")

    async def _take_over(self, commit: str, head: str, path: str, before: str) -> None:
        """Let the branch follow, and the file in the folder with it."""
        if await self._is_ancestor(head, commit) and commit != head:
            code, _, words = await self._git("update-ref", "-m", "soloist", self.ref, commit, head)
            if code and not self.remote:
                raise TryLaterError(f"The blog's branch moved at the same moment: {_words(words)}.")
        # What was pushed is published, wherever the local branch went meanwhile; the next pull brings them together.
        await self._refresh(path, before)

    async def _refresh(self, path: str, before: str) -> None:
        """Bring one file of the folder up to the branch; what somebody has changed there is left alone."""
        if await self._bare() or await self._text("symbolic-ref", "-q", "HEAD") != self.ref:
            return
        file, wanted = self.folder / path, await self.show(self.ref, path)
        there = file.read_bytes() if file.is_file() else None
        if there not in {wanted, await self.show(before, path)}:
            return
        if wanted is not None:
            await self._git("restore", "--staged", "--worktree", "--source", self.ref, "--", path)
        else:
            await self._git("rm", "-q", "--force", "--ignore-unmatch", "--", path)

    async def _bare(self) -> bool:
        return await self._text("rev-parse", "--is-bare-repository") == "true"

    async def _is_ancestor(self, older: str, newer: str) -> bool:
        code, _, _ = await self._git("merge-base", "--is-ancestor", older, newer)
        return code == 0

    async def _text(self, *arguments: str) -> str:
        _, output, _ = await self._git(*arguments)
        return output.decode(errors="replace").rstrip("\n")

    async def _git(self, *arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
        try:
            async with asyncio.timeout(GIT_S):
                return await self._run(self.folder, arguments, given)
        except TimeoutError:
            raise TryLaterError(f"git {arguments[0]} did not end within {GIT_S:.0f} s.") from None
        except OSError as error:
            raise TryLaterError(f"git cannot be run ({error.strerror}). Install git.") from None


def _words(text: str) -> str:
    # A remote's address may hold a token.
    bare = re.sub(r"(?<=://)[^\s/@]+@", "[secret]@", text)
    return re.sub(r"\s+", " ", bare).strip()[:SHOWN] or "it gave no reason"

"""Forgetting for good: what goes, what stays and why stand on a card, and after the button it is gone.

| where | what happens |
| --- | --- |
| long-term memory, its index, full-text words, write-ahead log | gone, byte by byte (`memory.erasure`) |
| Redis, the explain log | emptied whole; a later line of the log that names them is masked (`bot.explaining.Masks`) |
| history, records, cards, outbox orders | the words go, the chain holds (`memory.erased`) |
| a task with ledger entries | talk about it goes; invoice, payment, receipt and their letter stay: tax law wants them kept |
| ids of mails and messages that tell copies apart | a keyed digest takes their place, a second copy is still known |
| our words and cards in Slack and Telegram | overwritten there (`bot.copies`), also when the platform was away |
| exports, outbox mails, inbox files, attachments | deleted |
| what the operator wrote in a chat, files and mail that were sent | stay: out of a bot's reach |
| backups and homes of before | stay; a restore forgets it again (`memory.tombstones`, `memory.erased`) |
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from agents.base import ActionCall
from agents.directory import slug
from bot.remembering import FACT, Remembering
from connectors.base import Body, Connector, Detail, EffectClass, OutcomeUnknownError, Plumbing, Receipt, Risk, action
from memory.database import StorageError
from memory.erased import (
    MARK,
    ErasedFile,
    GoneFiles,
    Strike,
    again,
    erase,
    erase_on_the_books,
    hide_inputs,
    on_the_books,
    own_words,
    sentences,
    spent_pages,
    tasks_with,
)
from memory.events import Prepared
from memory.files import FileStore
from memory.log import Log, Tx
from memory.projections import Books, Version
from memory.recall import Known, Scope
from memory.replay import Rows, mend_task
from memory.shown import make_due, places

FOREVER_S = 10 * 365 * 86400.0  # doing it again is always the same as once; a span that a date can be reckoned with
SHOWN = 12  # lines of what will go that are written out on the card; the rest is counted
FOLDERS = ("exports", "outbox", "inbox-files")
"""In the home: made from what is remembered, or handed in to be."""
_SAYS = re.compile(r"^(?:that|about|the fact that|the note (?:that|about))\s+", re.IGNORECASE)
_EVERYTHING = re.compile(r"^(?:everything|all(?: data)?|what you know)\s+(?:about|on|of)\s+", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class NothingToForgetError(Exception):
    """There is nothing like that; the message says so."""


class Keeper(Connector):
    """Our own memory as something that can be told to forget."""

    service = "memory"

    def __init__(
        self,
        remembering: Remembering,
        log: Log,
        files: FileStore,
        home: Path,
        rows: Rows,
        drop_beliefs: Callable[[], None],
    ) -> None:
        """Take what it forgets from.

        Args:
            remembering: Long-term memory.
            log: History.
            files: Content by digest.
            home: For the folders.
            rows: How lines become projection rows.
            drop_beliefs: Called in the writer thread: what is believed in memory was made of words that are gone.
        """
        self._memory = remembering
        self._log = log
        self._files = files
        self._home = home
        self._rows = rows
        self._drop_beliefs = drop_beliefs
        self._gone = GoneFiles(remembering.folder, bytes.fromhex(log.fact("secret") or ""))
        self.mask: Callable[[Sequence[str]], None] = lambda _: None  # `bot.explaining.Masks.add`
        self.overwrite: Callable[[], None] = lambda: None  # `bot.copies.Copies.poke`: something is due in chats

    # ── what would go ─────────────────────────────────────────────────────────────────────────────────────────────

    async def propose(self, what: str, asking: int) -> ActionCall:
        """Return the call whose card says what will go.

        Args:
            what: Somebody, or something that was noted, in the operator's words.
            asking: The task that asks: that it names them is no trace of them.

        Raises:
            NothingToForgetError: Nothing fits.
        """
        return await asyncio.to_thread(self._propose, what, asking)

    def _propose(self, what: str, asking: int) -> ActionCall:
        about = _EVERYTHING.sub("", what)
        sentence = bool(_SAYS.match(what))
        names = self._names_of(_SAYS.sub("", about))
        doomed = self._memory.memory.would_forget(person=names[0]) if not sentence else []
        client = self._client(names[0]) if not sentence else ""
        if client:
            doomed = self._memory.memory.would_forget(person=names[0], client=client)
        strike = Strike(names)
        if not doomed and (sentence or not set(tasks_with(self._log.database, strike)) - {asking}):
            doomed = self._facts_like(_SAYS.sub("", about))
            names = [record.text for record in doomed]
            strike = Strike(names)
        if not doomed and not names:
            raise NothingToForgetError(f"I found nothing about {about!r}, so there is nothing to forget.")
        return ActionCall(
            name="memory.forget",
            args={
                "what": about,
                "names": names,
                "going": self._preview(doomed, strike),
                "records": ",".join(str(record.id) for record in doomed),
                "space": client,
            },
        )

    def _names_of(self, name: str) -> list[str]:
        """Return what a person or client is called, beside the name that was typed: addresses that stand with it."""
        strike, found = Strike([name]), [name]
        with self._log.database.read() as tx:
            books = Books(tx)
            for kind in books.kinds():
                for record in books.all(kind):
                    found += _addresses(record, strike)
            for row in tx.exec_driver_sql("SELECT DISTINCT speaker, author FROM recollections WHERE author LIKE '%@%'"):
                if strike.finds(row[0]):
                    found.append(row[1])
        if slug(name) and " " in name:
            found.append(slug(name))
        return list(dict.fromkeys(found))

    def _client(self, name: str) -> str:
        with self._log.database.read() as tx:
            for client in Books(tx).all("client"):
                if name.casefold() in {client.key.casefold(), str(client.data.get("name", "")).casefold()}:
                    return client.key
        return ""

    def _facts_like(self, words: str) -> list[Known]:
        wanted = set(re.findall(r"\w+", words.casefold()))
        hits = self._memory.memory.recall(words, Scope(kind=FACT), k=5)
        near = [
            hit.record.id
            for hit in hits
            if len(wanted & set(re.findall(r"\w+", hit.record.text.casefold()))) * 2 > len(wanted)
        ]
        return self._memory.memory.would_forget(near[:1])

    def _preview(self, doomed: Sequence[Known], strike: Strike) -> str:
        database = self._log.database
        tasks, kept = set(tasks_with(database, strike)), on_the_books(database)
        lines = ["GOES for good:", f"{_several(len(doomed), 'record')} in long-term memory" + ":" * bool(doomed)]
        lines += [f"- {' '.join(record.text.split())[:120]}" for record in doomed[:SHOWN]]
        if len(doomed) > SHOWN:
            lines.append(f"- and {len(doomed) - SHOWN} more")
        lines.append(f"The words in {_several(len(tasks - kept), 'task')} of history, and in the records they wrote.")
        with database.read() as tx:
            if standing := Counter(place.channel.capitalize() for place in places(tx, tasks)):
                where = ", ".join(f"{count} in {channel}" for channel, count in sorted(standing.items()))
                lines.append(f"My words and cards in chats are overwritten: {where}.")
        if files := [path.relative_to(self._home).as_posix() for path in self._files_with(strike)]:
            lines.append(f"{_several(len(files), 'file')}: {', '.join(files[:SHOWN])}")
        lines += ["", "STAYS, and why:"]
        if bound := sorted(tasks & kept):
            lines.append(
                f"- Invoices and payments in {_several(len(bound), 'task')} ({', '.join(map(str, bound[:SHOWN]))}): "
                "tax law wants them kept, with the letters they went out with. What was said about them goes."
            )
        lines.append(
            "- What you wrote in Slack or Telegram, and files sent there: I may not delete those. Delete them there."
        )
        lines.append("- Mail that was sent, with those who have it.")
        lines.append(f"- {self._older()} A restore forgets it again; delete the files to be rid of it.")
        return "\n".join(lines)

    def _older(self) -> str:
        """Say which copies of before there are."""
        backups = sorted(path.name for path in (self._home / "backups").glob("*") if path.is_file())
        names = f" ({', '.join(backups[-3:])})" if backups else ""
        return f"{_several(len(backups), 'backup')} in {self._home / 'backups'}{names}, and backups or old homes elsewhere."

    def _files_with(self, strike: Strike) -> Iterator[Path]:
        for folder in FOLDERS:
            for path in sorted((self._home / folder).rglob("*")):
                if path.is_file() and (
                    strike.finds(path.name) or strike.finds(path.read_bytes().decode(errors="replace"))
                ):
                    yield path

    # ── doing it ──────────────────────────────────────────────────────────────────────────────────────────────────

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="forget {what} for good",
        no_return="at once: nothing brings it back",
        key_window_s=FOREVER_S,
        timeout_s=600.0,
    )
    async def forget(
        self, what: Detail, names: Detail, going: Body, records: Plumbing = "", space: Plumbing = "", key: str = ""
    ) -> Receipt:
        """Forget for good. Doing it twice is the same as once.

        Args:
            what: As the operator named it.
            names: Names, addresses or sentences that are taken out of everything.
            going: What the card says will go.
            records: Ids in long-term memory, separated by commas.
            space: A client's namespace that goes whole.
        """
        del what, going
        several = [str(name) for name in names]
        try:
            gone, tasks, files = await asyncio.to_thread(
                self._forget,
                several,
                [int(each) for each in records.split(",") if each],
                space,
                _own_task(self._log, key),
            )
        except (StorageError, OSError) as error:
            raise OutcomeUnknownError(
                f"Forgetting broke off ({error}). Press 'again': what is gone stays gone."
            ) from error
        certain = await self._memory.forgotten()
        self.overwrite()
        text = (
            f"Forgotten: {_several(gone, 'record')}, the words in {_several(tasks, 'task')}, {_several(files, 'file')}."
        )
        if not certain:
            text += " The short-term memory could not be emptied; it empties itself within a day."
        return Receipt(ref="", text=text)

    def _forget(self, names: Sequence[str], ids: Sequence[int], space: str, own: int) -> tuple[int, int, int]:
        memory, database = self._memory.memory, self._log.database
        self.mask(names)  # before anything goes: from here on no line of the explain log says who
        named = Strike(names)
        doomed = [*memory.would_forget(ids), *(each for name in names for each in memory.would_forget(person=name))]
        theirs = [each.text for each in doomed if named.finds(each.speaker) or named.finds(each.author)]
        spoken = [part for text in theirs for part in sentences(text)]
        strike = Strike([*names, *spoken, *own_words(database, tasks_with(database, named), named)])
        files = 0
        for path in [*self._files_with(strike)]:
            self._gone.let_go(path)
            files += 1
        bound = on_the_books(database)
        touched = [task for task in tasks_with(database, strike) if task != own]
        self.erase_tasks([task for task in touched if task not in bound], strike)
        self.erase_tasks([task for task in touched if task in bound], strike, talk=True)
        self._hide_inputs(strike)
        # Last, because what else is to go is found by it: killed half-way, the second time finds the same again.
        gone = memory.forget(ids, client=space).count
        gone += sum(memory.forget(person=name).count for name in names)
        memory.scrub()
        return gone, len(touched), files

    def erase_tasks(self, tasks: Sequence[int], strike: Strike, *, whole: bool = False, talk: bool = False) -> None:
        """Take words out of the history of these tasks, and out of everything that is made from it.

        Args:
            tasks: Whose history.
            strike: What goes.
            whole: All words of these tasks go.
            talk: Only what was said goes; what the law wants kept stays.
        """
        kept = ErasedFile(self._memory.folder)
        for task in tasks:
            if not talk:
                self._forget_attachments(task, strike)

            def work(tx: Tx, task: int = task) -> None:
                changed = erase_on_the_books(tx, task, strike) if talk else erase(tx, task, strike, whole=whole)
                if changed:
                    # The list first: killed after the commit, a backup from before would never lose these words.
                    kept.add(changed)
                    mend_task(tx, task, self._rows)
                    make_due(tx.connection, [task])
                    spent_pages(tx)
                self._drop_beliefs()

            self._log.transact(work).result()

    def _hide_inputs(self, strike: Strike) -> None:
        def work(tx: Tx) -> None:
            if hide_inputs(tx, strike, partial(self._log.hidden_id, tx.connection)):
                self._log.forgot_inputs = True
                spent_pages(tx)

        self._log.transact(work).result()

    def _forget_attachments(self, task: int, strike: Strike) -> None:
        """Delete files that came with the person's own message, or speak of them in plain text."""
        for line in self._log.lines(task):
            theirs = type(line.event).__name__ == "ItemArrived" and strike.finds(repr(line.event))
            for sha256 in re.findall(r"[0-9a-f]{64}", repr(line.event)):
                path = self._files.path(sha256)
                if path.exists() and (theirs or strike.finds(path.read_bytes().decode(errors="replace"))):
                    self._gone.let_go(path)

    def close_own(self, task: int) -> None:
        """Take the names out of the task that asked for it, once its receipt is written. Harmless when it was done."""
        calls = [line.event.call for line in self._log.lines(task) if isinstance(line.event, Prepared)]
        names = [name for call in calls for name in call.args.get("names", ()) if name and MARK not in name]
        if not names:
            return
        strike = Strike(names)
        for name in names:
            self._memory.memory.forget(person=name)
        self.erase_tasks([task], strike, whole=True)  # the card showed what was to go
        self.overwrite()
        self._memory.memory.scrub()


def erase_again(log: Log, folder: Path, rows: Rows) -> int:
    """Take out of a restored history what was forgotten since the backup; returns how many tasks were touched."""
    kept = ErasedFile(folder).lines()
    if not kept:
        return 0

    def work(tx: Tx) -> int:
        touched = again(tx, kept)
        for task in touched:
            mend_task(tx, task, rows)
        if touched:
            spent_pages(tx)
        return len(touched)

    return log.transact(work).result()


def files_again(log: Log, home: Path) -> int:
    """Delete the forgotten files that a restored backup brought back; returns how many. Looks only after a change."""
    gone = GoneFiles(home / "memory", bytes.fromhex(log.fact("secret") or ""))
    count = str(len(gone.digests()))
    if count == (log.fact(SWEPT) or "0"):
        return 0
    found = gone.again(path for folder in (*FOLDERS, "files") for path in (home / folder).rglob("*") if path.is_file())
    log.set_fact(SWEPT, count)
    return found


SWEPT = "forgotten_files"
"""How long the list of forgotten files was when they were last looked for: a restored database says an older number."""


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _own_task(log: Log, key: str) -> int:
    """Return the task whose effect carries this key: its lines are erased after its receipt (`Keeper.close_own`)."""
    with log.database.read() as tx:
        row = tx.exec_driver_sql("SELECT task FROM effects WHERE key = ?", (key,)).first()
    return int(row[0]) if row else -1


def _addresses(record: Version, strike: Strike) -> list[str]:
    """Return the addresses of a record whose person, or whose own name, is the one named."""
    data = record.data
    if not any(strike.finds(str(data.get(name) or "")) for name in ("name", "contact")):
        return []
    return [address for value in data.values() if isinstance(value, str) for address in _EMAIL.findall(value)]

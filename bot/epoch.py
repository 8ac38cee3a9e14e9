"""A restored house begins a new epoch: nothing that was open goes out by itself."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from bot import approvals
from bot.chronicle import Chronicle
from bot.staff import Catalogue, Staff
from memory.events import EpochRaised, WokeUp
from memory.line import unstamp
from memory.log import HOUSE, Tx
from memory.projections import cards, effects, tasks

TASKS_A_DAY = 1000  # more than anybody begins; after a restore numbers go on beyond those that were lost


def begin_epoch(staff: Staff, catalogue: Catalogue, chronicle: Chronicle, backup: str) -> int:
    """Begin a new epoch after a restore: everything open is asked about, nothing goes out by itself.

    Returns:
        How many tasks had something open.
    """
    epoch = int(staff.log.fact("epoch") or 1) + 1
    waiting = select(cards.c.task).where(cards.c.state == "pending")
    moving = select(effects.c.task).where(effects.c.status.in_(("prepared", "sending")))
    begun = select(tasks.c.id.label("task")).where(
        tasks.c.status.not_in(("done", "failed", "cancelled")), tasks.c.id != HOUSE
    )
    with staff.database.read() as connection:
        touched = {row.task for query in (waiting, moving) for row in connection.execute(query)}
        unfinished = {row.task for row in connection.execute(begun)}
        newest = connection.execute(select(func.max(tasks.c.at))).scalar()
    now = staff.now()
    view = approvals.View(catalogue.actions, staff.secret, staff.zone, now)
    gap = now - unstamp(newest) if newest else timedelta(0)
    staff.log.skip_tasks(TASKS_A_DAY * (1 + max(0, gap.days)))
    text = (
        f"Restored from {backup}. What happened between {approvals.clock_text(now - gap, view)} and now "
        f"is not in it: mails, invoices and payments of that time are unknown to me and will not be done again. "
        f"{len(touched)} task{'s' * (len(touched) != 1)} had something open and ask you below."
    )

    def work(tx: Tx) -> None:
        chronicle.advance(tx, HOUSE, EpochRaised(epoch=epoch, backup=backup), actor="soloist", cause="restore")
        for task in sorted(touched | unfinished):
            chronicle.advance(tx, task, WokeUp(order="", reason="restored"), actor="soloist", cause="restore")
        notice = WokeUp(order="", reason="notice", data={"text": text})
        chronicle.advance(tx, tx.next_task(), notice, actor="soloist", cause="restore")

    staff.log.transact(work).result()
    staff.log.set_fact("epoch", str(epoch))
    return len(touched)

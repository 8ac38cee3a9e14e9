"""Monitor: what is late, quiet or missing, the most pressing first, and nothing else."""

from datetime import timedelta

from agents.base import Intent
from agents.monitor import Monitor, alarms
from memory.events import Write
from tests.agents.desk import PaperDesk, client, task


def troubled() -> PaperDesk:
    desk = PaperDesk(
        clients={"acme": client("Acme", retainer="100.00 EUR"), "mute": {"name": "Mute", "status": "active"}}
    )
    bill = {
        "client": "mute", "client_name": "Mute", "status": "sent", "issued": "2026-10-01", "due": "2026-11-01",
        "total": "119.00 EUR", "paid": "0.00 EUR", "reminders": [],
    }  # fmt: skip
    desk.write(Write(kind="invoice", key="2026-0001", data=bill))
    offer = {"client": "acme", "text": "Redesign", "status": "sent", "sent": "2026-11-10"}
    desk.write(Write(kind="proposal", key="acme-redesign", data=offer))
    points = [{"name": "Kick-off", "day": "2026-11-16", "done": ""}]
    work = {"name": "Site", "client": "acme", "status": "running", "due": "2026-12-01", "checkpoints": points}
    desk.write(Write(kind="project", key="site", data=work))
    desk.now += timedelta(days=5)
    return desk


def test_alarms_come_in_the_order_of_their_weight() -> None:
    assert [alarm.text for alarm in alarms(troubled())] == [
        "2026-0001 of Mute is 25 days late, 119.00 EUR open",
        "Site: Kick-off was due on 16 November 2026",
        "Acme has not answered the proposal 'Redesign' since 10 November 2026",
        "Acme's retainer of 100.00 EUR is not invoiced for November",
        "Mute has no e-mail address",
    ]


def test_what_was_dealt_with_is_no_alarm() -> None:
    desk = troubled()
    bill = desk.record("invoice", "2026-0001").data
    desk.write(
        Write(kind="invoice", key="2026-0001", data={**bill, "reminders": [{"step": "friendly", "day": "2026-11-20"}]})
    )
    desk.write(
        Write(
            kind="proposal",
            key="acme-redesign",
            data={**desk.record("proposal", "acme-redesign").data, "status": "accepted"},
        )
    )
    desk.write(
        Write(
            kind="invoice", key="2026-0002", data={**bill, "client": "acme", "issued": "2026-11-25", "status": "paid"}
        )
    )
    assert [alarm.label for alarm in alarms(desk)] == ["See the project", "Add Mute's address"]


async def test_the_monitor_says_it_with_buttons_and_does_nothing() -> None:
    proposal = await Monitor().work(task(Intent()), troubled())
    assert proposal.calls == ()
    assert proposal.choices[0].text == "remind Mute about 2026-0001"
    assert (await Monitor().work(task(Intent()), PaperDesk())).say == "Nothing needs your attention."

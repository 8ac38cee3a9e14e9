"""The diary: what is planned, what falls due, and where there is room."""

from datetime import date, timedelta

from agents.diary import Agenda, FindTime
from agents.reminders import RemindMe
from connectors.base import Receipt
from memory.events import Write
from tests.agents.desk import PaperDesk, answered, client
from tests.agents.test_scheduling import TUESDAY, booked


async def test_free_time_avoids_nights_weekends_and_what_is_taken() -> None:
    desk = PaperDesk()
    busy = [{"start": "2026-11-23T09:00:00+01:00", "end": "2026-11-23T11:00:00+01:00", "title": "Dentist"}]
    desk.answers["calendar.free"] = Receipt("", "", {"busy": busy})
    answer = await answered(desk, FindTime(client="Acme"), "find a time for Acme")
    assert answer.results["free"] == [
        "2026-11-23T11:00:00+01:00", "2026-11-23T13:00:00+01:00", "2026-11-24T09:00:00+01:00",
    ]  # fmt: skip
    assert answer.choices[0].text == "book a meeting with Acme GmbH on 2026-11-23 at 11:00"
    full = [{"start": "2026-11-24T00:00:00+01:00", "end": "2026-11-24T23:00:00+01:00"}]
    desk.answers["calendar.free"] = Receipt("", "", {"busy": full})
    assert "No 60 minutes are free on 24 November" in (await answered(desk, FindTime(day=date(2026, 11, 24)))).say


async def test_the_agenda_shows_meetings_reminders_and_dues() -> None:
    desk = PaperDesk(clients={"acme": client("Acme")})
    await booked(desk)
    desk.confirm(await answered(desk, RemindMe(what="pay rent", when=TUESDAY - timedelta(hours=6))))
    desk.write(Write(kind="invoice", key="2026-0001", data={
        "status": "sent", "due": "2026-11-24", "client_name": "Acme", "total": "1.00 EUR",
    }))  # fmt: skip
    answer = await answered(desk, Agenda(day=date(2026, 11, 24)))
    assert answer.say.splitlines()[:4] == [
        "24 November 2026:",
        "- Tue 24 November, 15:00 to 16:00: Meeting with Acme",
        "- Tue 24 November, 09:00: pay rent (reminder)",
        "- 24 November 2026: 2026-0001 of Acme falls due",
    ]
    assert (await answered(desk, Agenda())).say.startswith("Nothing is planned for 21 November 2026.")

"""R14: what goes out without a person says so in its header, and one thread gets only so many a day."""

import email
from datetime import timedelta
from email.policy import default

import pytest

from agents.base import Agent, Proposal
from bot import wiring
from bot.deciding import automatic
from bot.policy import Policy, PolicyError, Rule, parse
from connectors.base import Incoming
from memory.events import ActionCall, Write
from tests.torture.bare import BareHouse, broken

CLIENTS = {"acme": "bob@acme.example", "globex": "carl@globex.example"}
ROOT = "<root@acme.example>"
LETS = Policy(delay=timedelta(0), rules=(Rule("mail.send", "do"),))


class Answering(Agent):
    """Answers every mail, as a playbook might."""

    name = "answering"
    hears = ("mail",)
    proposes = ("mail.send",)

    async def work(self, task, desk):
        sender = task.item["from"]["address"]
        (client,) = (key for key, at in CLIENTS.items() if at == sender)
        args = {"to": [sender], "subject": "Re: hello", "body": "We look into it."}
        if task.item["references"]:
            args |= {"in_reply_to": task.item["message_id"], "references": task.item["references"]}
        return Proposal(calls=(ActionCall(name="mail.send", args=args, client=client),))


class Answered(BareHouse):
    """A house whose every mail is answered."""

    async def __aenter__(self):
        await super().__aenter__()
        writes = [Write(kind="client", key=key, data={"name": key, "email": at}) for key, at in CLIENTS.items()]
        wiring.seed(self.machine, writes, "Clients")
        return self

    def _build(self):
        from tests.torture import bare

        real, bare.wiring = bare.wiring, _With(bare.wiring)
        try:
            super()._build()
        finally:
            bare.wiring = real

    async def mail(self, number, sender="bob@acme.example", references=(ROOT,)):
        data = {
            "message_id": f"<{number}@acme.example>", "from": {"name": "", "address": sender},
            "references": list(references),
        }  # fmt: skip
        await self.runner.arrived(
            Incoming(
                service="mail", account="a", event_id=str(number), kind="mail", at=self.clock(), data=data, text="?"
            )
        )
        await self.runner.settled()
        await self.later(seconds=1)

    def sent(self):
        return [email.message_from_bytes(path.read_bytes(), policy=default) for path in self.outbox()]


class _With:
    """Wiring with one more agent."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def build(self, *args, only, **more):
        return self._real.build(*args, only={**only, "answering": Answering()}, **more)


async def test_a_reply_that_no_person_saw_says_so_in_its_header(tmp_path):
    async with Answered(tmp_path, policy=LETS) as house:
        await house.mail(1)
        (mail,) = house.sent()
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == "<1@acme.example>"


async def test_what_the_operator_asks_for_or_presses_is_a_persons_mail(tmp_path):
    async with Answered(tmp_path, policy=LETS) as house:
        await house.operator("ask mail to=bob@acme.example")
        await house.later(seconds=1)
        (asked,) = house.sent()
    async with Answered(tmp_path / "b", policy=Policy(delay=timedelta(0))) as house:
        await house.mail(1)
        assert not house.sent()
        await house.press("Approve")
        await house.later(seconds=1)
        (pressed,) = house.sent()
    assert asked["Auto-Submitted"] is None
    assert pressed["Auto-Submitted"] is None


async def test_the_fourth_in_a_thread_within_a_day_is_a_card_that_says_why(tmp_path):
    async with Answered(tmp_path, policy=LETS) as house:
        for number in range(6):
            await house.mail(number)
        assert len(house.sent()) == 3
        card = house.card()
        assert any("3 automatic mails went out in this thread" in line for line in (*card.footer, *card.warnings))
        await house.restart()
        await house.mail(6)
        assert len(house.sent()) == 3
        await house.later(hours=25)
        await house.mail(7)
        assert len(house.sent()) == 4
        assert not house.wrong()


async def test_a_machine_that_begins_a_new_thread_each_time_comes_to_an_end_too(tmp_path):
    async with Answered(tmp_path, policy=LETS) as house:
        for number in range(5):
            await house.mail(number, references=())
        assert len(house.sent()) == 3
        await house.mail(9, sender="carl@globex.example", references=())
        assert len(house.sent()) == 4


async def test_twin_without_the_count_two_machines_write_to_each_other_for_ever(tmp_path):
    with broken(automatic, "too_many", lambda state, calls, house: ""):
        async with Answered(tmp_path, policy=LETS) as house:
            for number in range(8):
                await house.mail(number)
            assert len(house.sent()) == 8


def test_the_number_is_the_operators(tmp_path):
    assert parse({"mail": {"automatic_per_thread": 1}}).automatic_per_thread == 1
    assert parse({}).automatic_per_thread == 3
    for wrong in ({"automatic_per_thread": "3"}, {"automatic_per_thread": -1}, {"per_thread": 3}):
        with pytest.raises(PolicyError, match="automatic_per_thread"):
            parse({"mail": wrong})

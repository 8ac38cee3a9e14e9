"""What nobody can know at first is looked for again later: a mail behind a silent server, a refund whose key is forgotten."""

import asyncio
from dataclasses import replace

import pytest

from bot.testing import PaperService
from connectors.base import EffectClass, OutcomeUnknownError, Receipt, Risk, TryLaterError, action
from connectors.mail import SETTLES_AFTER, Mail
from connectors.mail_delivery import Server
from connectors.mail_folders import Account
from tests.counterparts.imap import dovecot, dovecot_or_skip
from tests.counterparts.smtp import Fault, PostOffice
from tests.torture.bare import BareHouse, no_delay

MINUTES = SETTLES_AFTER.total_seconds() / 60


@pytest.fixture(scope="module")
def imap():
    dovecot_or_skip()
    with dovecot() as server:
        yield server


@pytest.fixture
async def post():
    async with PostOffice() as office:
        yield office


def mail(house, post, imap, dot_timeout_s=120.0):
    """The account of a provider that files sent mail itself."""
    server = Server("127.0.0.1", post.port, "none", dot_timeout_s=dot_timeout_s)
    box = Account("127.0.0.1", imap.port, "none", imap.user, imap.password, server_files_sent=True)
    workshop = house.machine.runner._staff.connectors["invoices"]._workshop
    return Mail(workshop, sender="anna@berg.example", server=server, box=box)


def empty(imap):
    with imap.session() as session:
        session.select("Sent")
        if session.response("EXISTS")[1] != [b"0"]:
            session.store("1:*", "+FLAGS", r"(\Deleted)")
            session.expunge()


async def until(condition, house):
    for _ in range(6_000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(house.transcript())


async def opened(house, post, imap):
    """Send a mail to a server that falls silent behind the dot; return when the operator is asked about it."""
    empty(imap)
    house.machine.runner._staff.connectors["mail"] = mail(house, post, imap, dot_timeout_s=0.3)
    post.at("kept", Fault(hang=True, times=1))
    await house.operator("ask mail to=bob@acme.example")
    await house.press("Approve")
    await until(lambda: "Did this go through?" in house.transcript(), house)
    house.machine.runner._staff.connectors["mail"] = mail(house, post, imap)  # what is sent from now on is not hurried


@pytest.mark.imap
async def test_a_copy_that_turns_up_within_the_quarter_of_an_hour_answers_the_question(tmp_path, post, imap):
    async with BareHouse(tmp_path, policy=no_delay()) as house:
        await opened(house, post, imap)
        imap.deliver(post.taken[0].content, "Sent")
        await house.later(minutes=MINUTES + 1)
        await until(lambda: "a copy is in Sent" in house.transcript(), house)
        question = next(card for card in house.channel.cards.values() if card.title == "Did this go through?")
        assert not question.buttons
        assert "it had arrived" in house.transcript()
        assert not house.wrong()
    assert list(post.accepted.values()) == [1]


@pytest.mark.imap
async def test_proven_absence_sends_it_again_once_and_takes_the_question_back(tmp_path, post, imap):
    async with BareHouse(tmp_path, policy=no_delay()) as house:
        await opened(house, post, imap)
        post.taken.clear()
        post.accepted.clear()  # the server never kept it after all
        await house.later(minutes=MINUTES + 1)
        await until(lambda: "It had not arrived" in house.transcript(), house)
        await house.later(minutes=1)
        await until(lambda: "Mailed to bob@acme.example" in house.transcript(), house)
        assert not house.wrong()
    assert list(post.accepted.values()) == [1]


@pytest.mark.imap
async def test_the_later_look_outlives_a_restart(tmp_path, post, imap):
    async with BareHouse(tmp_path, policy=no_delay()) as house:
        await opened(house, post, imap)
        imap.deliver(post.taken[0].content, "Sent")
        await house.restart()
        house.machine.runner._staff.connectors["mail"] = mail(house, post, imap)
        await house.later(minutes=MINUTES + 1)
        await until(lambda: "a copy is in Sent" in house.transcript(), house)
    assert list(post.accepted.values()) == [1]


@pytest.mark.imap
async def test_what_the_operator_says_first_holds_and_nothing_is_looked_for_any_more(tmp_path, post, imap):
    async with BareHouse(tmp_path, policy=no_delay()) as house:
        await opened(house, post, imap)
        await house.press("Drop it")
        await house.later(minutes=MINUTES + 1)
        await house.later(minutes=MINUTES + 1)
        assert "Mailed" not in house.transcript()
        assert not house.wrong()
    assert list(post.accepted.values()) == [1]


class Forgetful(PaperService):
    """A service that remembers keys for an hour, and can be looked through."""

    looks = 0
    away = 0

    @action(
        Risk.MONEY,
        EffectClass.KEYED,
        says="pay it",
        no_return="at once",
        find="look",
        key_window_s=3600.0,
        attempts_max=3,
    )
    async def pay(self, payee: str, amount: str, key: str = "") -> Receipt:
        """Pay somebody."""
        return self.provider.accept(key, {"payee": payee, "amount": amount}, once=False)

    async def look(self, payee: str, amount: str, key: str = "") -> Receipt | None:
        """Look for a payment by its key."""
        del payee, amount
        self.looks += 1
        if self.away:
            self.away -= 1
            raise TryLaterError("The service is away.")
        return Receipt(ref="p1", text="It was paid.") if self.provider.count(key) else None


def lost():
    raise OutcomeUnknownError("The answer was lost.")


def paying(tmp_path):
    house = BareHouse(tmp_path, policy=no_delay())
    service = Forgetful(house.provider)
    house._connectors["paper"] = service
    return house, service


async def test_a_forgotten_key_is_looked_for_and_never_sent_again(tmp_path):
    house, service = paying(tmp_path)
    async with house:
        house.provider.after = [lost]
        await house.operator("ask pay to=DE02 amount=10.00 EUR")
        await house.press("Approve")
        house.provider.plans = [lost]  # and nothing of the second attempt is known either
        await house.later(hours=2)
        await house.later(hours=1)
        await until(lambda: "It was paid." in house.transcript(), house)
        assert not house.wrong()
    assert len(house.provider.accepted) == 1
    assert service.looks == 1


async def test_twin_without_the_look_the_operator_has_to_say(tmp_path):
    house, service = paying(tmp_path)
    async with house:
        actions = house.machine.runner.actions
        actions["paper.pay"] = replace(actions["paper.pay"], find=None)
        house.provider.after = [lost]
        await house.operator("ask pay to=DE02 amount=10.00 EUR")
        await house.press("Approve")
        house.provider.plans = [lost]
        await house.later(hours=2)
        await house.later(hours=1)
        await until(lambda: "Did this go through?" in house.transcript(), house)
    assert service.looks == 0


async def test_a_look_that_fails_because_the_service_is_away_is_repeated_and_asks_only_once(tmp_path):
    house, service = paying(tmp_path)
    async with house:
        service.away = 2
        house.provider.after = [lost]
        await house.operator("ask pay to=DE02 amount=10.00 EUR")
        await house.press("Approve")
        house.provider.plans = [lost]
        await house.later(hours=2)
        for _ in range(5):
            await house.later(minutes=20)
        await until(lambda: "It was paid." in house.transcript(), house)
        questions = [card for card in house.channel.cards.values() if card.title == "Did this go through?"]
        assert len(questions) == 1
        assert not questions[0].buttons
        assert not house.wrong()
    assert len(house.provider.accepted) == 1
    assert service.looks == 3

"""Who is meant: exact, or asked; a slip of the pen never decides."""

import pytest

from agents.directory import look_up, slug, which
from memory.events import Write
from tests.agents.desk import PaperDesk, client


def desk() -> PaperDesk:
    made = PaperDesk()
    made.write(Write(kind="client", key="muller", data=client("Müller & Söhne GmbH", aliases=["M&S"])))
    return made


@pytest.mark.parametrize("said", ["Acme", "ACME GmbH", "acme", "billing@acme.example", "Anna Berg", "Acme's", " Acme "])
def test_a_client_is_found_by_name_key_address_or_contact(said: str) -> None:
    assert look_up(desk(), said).record.key == "acme"


@pytest.mark.parametrize("said", ["Müller & Söhne", "m&s", "MÜLLER & SÖHNE GMBH"])
def test_umlauts_aliases_and_legal_forms_are_no_obstacle(said: str) -> None:
    assert look_up(desk(), said).record.key == "muller"


@pytest.mark.parametrize("said", ["Acmee", "cme", "Acme GmhB"])
def test_a_slip_only_suggests(said: str) -> None:
    match = look_up(desk(), said)
    assert match.record is None
    assert [record.key for record in match.nearby] == ["acme"]


@pytest.mark.parametrize("said", ["Globex", "", "  ", "A", "GmbH"])
def test_somebody_else_is_nobody(said: str) -> None:
    match = look_up(desk(), said)
    assert match.record is None
    assert match.nearby == ()


def test_two_of_one_name_are_both_offered() -> None:
    made = PaperDesk(clients={"a": client("Acme North"), "b": client("Acme South"), "c": client("Other")})
    assert [record.key for record in look_up(made, "Acme").nearby] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Müller & Söhne GmbH", "muller-sohne"),
        ("Acme Ltd.", "acme"),
        ("Łódź", "łodz"),
        ("株式会社", "株式会社"),
        ("!!!", ""),
    ],
)
def test_a_key_can_be_read_and_typed(name: str, key: str) -> None:
    assert slug(name) == key


def test_a_button_says_the_whole_sentence_again() -> None:
    records = desk().records("client")
    buttons = which(records[:1], "invoice acmee 1,200 (acmee!)", "Acmee", "invoice {name}")
    assert buttons[0].text == "invoice Acme GmbH 1,200 (acmee!)"
    assert which(records[:1], "", "Acmee", "who is {name}")[0].text == "who is Acme GmbH"

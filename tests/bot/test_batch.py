"""What names a batch, and how it is listed and told. What it does is in ``tests/torture/test_t20_batch.py``."""

from __future__ import annotations

from bot import batch
from bot.testing import PaperHouse


def test_only_exact_words_are_a_batch() -> None:
    print_ = "0123456789abcdef"
    assert batch.items_in(f"approve 2.1@{print_} 3.1@{print_}") == (
        batch.Item("2.1", print_),
        batch.Item("3.1", print_),
    )
    for text in (
        "approve 2.1",
        f"please approve 2.1@{print_}",
        f"approve 2.1@{print_[:-1]}",
        "",
        f"approve 2.1@{print_} and all",
    ):
        assert batch.items_in(text) == ()
    assert batch.asks_for_all("Approve all")
    assert not batch.asks_for_all("approve all of Acme's invoices")


def test_cards_named_from_memory_are_listed_first() -> None:
    assert batch.named("approve 2.1 and 3.1") == ("2.1", "3.1")
    assert batch.named("/approve cards 2.1, 3.1, and 4.1!") == ("2.1", "3.1", "4.1")
    for text in ("approve 2.1", "approve 2.1 and pay", "approve 2.1 or 3.1", "reject 2.1 and 3.1"):
        assert batch.named(text) == ()


async def test_several_named_cards_wait_for_one_press_on_their_list(house: PaperHouse) -> None:
    for text in ("one", "two", "three"):
        await house.operator(f"ask post to=billing@acme.example client=acme body={text}")
    await house.operator("approve 2.1 and 3.1 and 9.1")
    house.expects("Not among them, because they do not wait for you: 9.1")
    assert len(house.provider.accepted) == 0
    await house.press("Approve these 2")
    assert [house.card(card).state for card in ("2.1", "3.1", "4.1")] == ["approved", "approved", "pending"]


def test_an_item_named_twice_counts_once_in_its_place() -> None:
    one, two = "0123456789abcdef", "fedcba9876543210"
    named = batch.items_in(f"approve 2.1@{one} 3.1@{two} 2.1@{one}")
    assert [item.card for item in named] == ["2.1", "3.1"]


def test_what_dropped_out_is_told_beside_what_was_approved() -> None:
    text = batch.told([("2.1", "Approved."), ("3.1", "This card has changed since it was listed. Nothing was done.")])
    assert text.splitlines()[0] == "Approved 1: 2.1."
    assert "- 3.1: This card has changed" in text
    assert batch.told([("2.1", "no")]).startswith("Nothing was approved.")
    assert batch.offer([])[1] == ()

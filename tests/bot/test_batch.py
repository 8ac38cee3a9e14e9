"""What names a batch, and how it is listed and told. What it does is in ``tests/torture/test_t20_batch.py``."""

from __future__ import annotations

from bot import batch


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

"""The public evaluation: any labelled set in, figures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot import intents_eval
from bot.intents_eval import LabelledFileError, evaluate, labelled

TRAIN = [
    *((f"play {what} by {who}", "play") for what in ("a song", "some music", "the album") for who in ("Mozart", "Abba", "Bach")),
    *((f"what is the weather {when} in {where}", "weather") for when in ("today", "now", "tonight") for where in ("Rome", "Bonn", "Oslo")),
    *((f"{verb} the {thing} in the kitchen", "switch") for verb in ("turn on", "turn off", "dim") for thing in ("light", "lamp", "radio")),
    *((text, "oos") for text in ("who are you", "pay my rent", "how old is the earth", "sue my neighbour", "translate this", "buy milk")),
]  # fmt: skip
TEST = [
    ("play the record by Queen", "play"), ("how is the weather in Paris now", "weather"), ("turn the lamp on", "switch"),
    ("buy a house", "oos"), ("who is he", "oos"),
]  # fmt: skip


def file_of(path: Path, pairs: list[tuple[str, str]]) -> Path:
    path.write_text("\n".join(json.dumps({"text": text, "intent": intent}) for text, intent in pairs))
    return path


def test_the_figures_of_a_small_set_are_what_it_shows() -> None:
    figures = evaluate(TRAIN, TEST, None)

    assert (figures.examples, figures.intents, figures.tested) == (len(TRAIN), 3, 5)
    assert figures.accuracy == 1.0
    assert figures.auroc is not None
    assert figures.auroc > 0.5
    assert figures.oos_recall is not None


def test_a_set_without_out_of_scope_has_no_such_figure() -> None:
    figures = evaluate([pair for pair in TRAIN if pair[1] != "oos"], TEST[:3], None)

    assert figures.auroc is None
    assert figures.oos_recall is None
    assert figures.accuracy == 1.0


def test_wrong_labels_show_in_the_accuracy() -> None:
    swapped = [(text, {"play": "weather", "weather": "play"}.get(intent, intent)) for text, intent in TEST]

    assert evaluate(TRAIN, swapped, None).accuracy < 0.5


def test_the_command_prints_a_line_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = file_of(tmp_path / "train", TRAIN), file_of(tmp_path / "test", TEST)

    assert intents_eval.main(["--train", str(train), "--test", str(test)]) == 0

    printed = capsys.readouterr().out
    for name in ("accuracy:", "oos recall at 5 % false refusals:", "auroc:", "latency:"):
        assert name in printed


def test_names_and_capitals_are_left_in_a_set_from_elsewhere() -> None:
    """In the house "Apple Pay" would be somebody's name and masked; here it is what an intent is about."""
    forms = ("can I use {}", "set up {}", "does {} work", "{} is broken", "where do I find {}", "how do I get {}")
    train = [(form.format(what), what) for what in ("Apple Pay", "Google Pay", "PIN 12") for form in forms]

    figures = evaluate(train, [(f"tell me about {what}", what) for what in ("Apple Pay", "Google Pay", "PIN 12")], None)

    assert figures.accuracy == 1.0


def test_bad_labels_few_examples_and_doubles_are_measured_all_the_same() -> None:
    train = [("open it", "a"), ("open it", "a"), ("open it", "b"), ("shut it", "b"), ("🙂", "c"), ("x" * 5000, "c")]

    figures = evaluate(train, [("open it", "a"), ("shut", "b"), ("?", "oos"), ("🙂" * 3000, "c")], None)

    assert figures.tested == 4
    assert 0 <= figures.accuracy <= 1


def test_a_test_set_of_strangers_only_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing in scope"):
        evaluate(TRAIN, [("who is he", "oos")], None)


def test_two_plain_classifiers_are_measured_beside_it() -> None:
    class Letters:
        stamp = "letters"

        def embed(self, texts: Sequence[str]) -> np.ndarray:
            rows = np.array([[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])
            return (rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)).astype(np.float32)

    stages: list[str] = []
    figures = evaluate(TRAIN, TEST, Letters(), compare=True, tell=stages.append)

    assert [name for name, _ in figures.others] == ["nearest neighbour", "logistic regression"]
    assert any("nearest neighbour: accuracy" in line for line in figures.lines())
    assert stages[-1] == "testing on 5 sentences"


def test_without_a_model_in_its_folder_words_alone_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test = file_of(tmp_path / "train", TRAIN), file_of(tmp_path / "test", TEST)

    assert intents_eval.main(["--train", str(train), "--test", str(test), "--model", str(tmp_path / "none")]) == 0
    assert "words alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no sentence"),
        ("{", "line 1"),
        ('{"text": "a"}', "line 1"),
        ('{"text": "", "intent": "x"}', "no sentence"),
        ('{"text": "a", "intent": " "}', "line 1"),
        ("[1]", "line 1"),
        ('[{"text": "a", "intent": "x"}]', "whole JSON array"),
        ('{"text": 5, "intent": "x"}', "line 1"),
    ],
)
def test_a_bad_file_is_an_error_that_names_the_line(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "bad").write_text(content)

    with pytest.raises(LabelledFileError, match=says):
        labelled(tmp_path / "bad")
    assert intents_eval.main(["--train", str(tmp_path / "bad"), "--test", str(tmp_path / "bad")]) == 2


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(LabelledFileError, match="cannot be read"):
        labelled(tmp_path / "none")


def test_one_class_is_refused(tmp_path: Path) -> None:
    one = file_of(tmp_path / "one", TRAIN[:3])

    assert intents_eval.main(["--train", str(one), "--test", str(one)]) == 2


def test_a_file_as_other_programs_write_it_is_read(tmp_path: Path) -> None:
    """A mark at the beginning, two bytes at each end of line, a line separator inside of a text, numbers as labels."""
    rows = [
        {"text": "open it\u2028now", "intent": 1},
        {"text": " ", "intent": "x"},
        {"text": "shut it", "intent": "out_of_scope"},
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "odd").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n\r\n")
    told: list[str] = []

    assert labelled(tmp_path / "odd", told.append) == [("open it\u2028now", "1"), ("shut it", "oos")]
    assert [each.rpartition(": ")[2] for each in told] == ["1 line without a text left out"]


def test_one_example_an_intent_is_learned_without_a_warning() -> None:
    train = [(f"{verb} the lamp", verb) for verb in ("light", "dim", "sell", "paint", "break", "wash", "hang", "buy")]

    figures = evaluate(train, [(f"please {text}", intent) for text, intent in train], None)
    assert figures.accuracy == 1.0

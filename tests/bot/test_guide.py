"""The page that `/help` shows: every command once, by subject, on one screen."""

from bot.guide import SUBJECTS, about, page

COMMANDS = [("/help", "Show what I can do."), ("/approvals", "List cards."), ("/invoice", "Write one."), ("/x", "New.")]


def test_every_command_stands_once_and_a_new_one_under_more() -> None:
    said = page(COMMANDS)
    assert "- Cards: /approvals\n" in said
    assert said.endswith("- More: /x")
    assert said.count("/invoice") == 1


def test_a_subject_without_commands_is_left_out() -> None:
    assert not [subject for subject in SUBJECTS if f"- {subject}:" in page([("/help", "")])]


def test_one_command_is_told_with_other_words_for_it() -> None:
    said = about("/Invoice", COMMANDS, {"invoice": ["bill Acme 5"]})
    assert said == "/invoice: Write one.\nOr in your own words:\n- bill Acme 5"


def test_an_unknown_command_is_named_and_the_page_follows() -> None:
    assert about("nonsense", COMMANDS, {}).startswith("There is no command /nonsense.\n\nJust say")

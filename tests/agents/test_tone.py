"""Tone: what was said holds at once, what was measured once it is a habit; a draft that strays is told why."""

import pytest

from agents.base import ActionCall, Letter
from agents.correspondence import WriteMail
from agents.letter import body, polish
from agents.tone import Manner, addresses, closes, count, greets, manner_of, measure, read_rule, strays
from agents.verifier import check
from memory.events import Write
from tests.agents.desk import PaperDesk, client, task

MINE = "Hi Anna,\n\nThe draft is ready. Have a look when you can. I am here until six.\n\nCheers\nNora"
STIFF = (
    "Dear Anna,\n\nI am writing to let you know that the draft which we had been discussing at some length last week is "
    "now available for your perusal at your earliest convenience. It contains every one of the many changes that were "
    "requested by you and by your colleagues in the meeting that took place on the third floor. Kindly find it attached "
    "to this letter so that you may forward it to whomever you consider to be the right person to look into it!\n\n"
    "Kind regards\nNora"
)


def learnt(*texts: str, **more: object) -> PaperDesk:
    desk = PaperDesk()
    desk.sent = [Letter(text, **more) for text in texts]  # type: ignore[arg-type]
    return desk


def said(desk: PaperDesk, text: str, client: str = "") -> None:
    desk.write(Write(kind="fact", key=f"tone/{len(desk.books)}", data={"text": text, "client": client}))


@pytest.mark.parametrize(
    ("text", "topic", "value"),
    [
        ("never use exclamation marks", "exclamation", ""),
        ("No emojis, please.", "emoji", ""),
        ("don't use contractions", "contraction", ""),
        ("write shorter", "length", ""),
        ("letters should have at most 80 words", "length", "80"),
        ("sign off with Cheers", "sign-off", "Cheers"),
        ("close my letters with 'Best wishes' from now on", "sign-off", "Best wishes"),
        ("greet clients with Hi", "greeting", "Hi"),
        ("never say kindly", "word", "kindly"),
        ("avoid the word “synergy”", "word", "synergy"),
        ("use du with Acme", "address", "du"),
        ("bitte use Sie", "address", "Sie"),
    ],
)
def test_what_the_operator_says_about_letters_is_understood(text: str, topic: str, value: str) -> None:
    rule = read_rule(text)
    assert rule is not None
    assert (rule.topic, rule.value, rule.allowed) == (topic, value, False)


@pytest.mark.parametrize(
    "text",
    [
        "Acme pays late",
        "I like exclamation marks",
        "the shop closes at six",
        "write Acme that we are late",
        "dear me",
        "",
    ],
)
def test_what_is_not_about_letters_makes_no_rule(text: str) -> None:
    assert read_rule(text) is None


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("never use exclamation marks", "Thanks!", "Thanks."),
        ("no emojis", "Done 🎉", "Done"),
        ("no contractions", "I can't come", "I cannot come"),
        ("never say kindly", "Kindly reply", "Please reply, unkindly or not"),
        ("sign off with Cheers", "Hi\n\nText.\n\nBest regards\nNora", "Hi\n\nText.\n\nCheers\nNora"),
        ("greet with Hi", "Dear Anna,", "Hi Anna,"),
        ("use Sie", "Hallo, kannst du das ansehen?", "Hallo, können Sie das ansehen?"),
        ("use du", "Hallo, können Sie das ansehen?", "Hallo, kannst du das ansehen?"),
        ("at most 10 words", "one two three four five six seven eight nine ten eleven", "one two three"),
    ],
)
def test_a_draft_against_what_was_said_is_told_in_the_operators_words(rule: str, bad: str, good: str) -> None:
    desk = PaperDesk()
    assert strays(bad, manner_of(desk)) == ()
    said(desk, rule)
    (why,) = strays(bad, manner_of(desk))
    assert why.startswith("Tone: it ")
    assert f"You said: {rule}." in why
    assert strays(good, manner_of(desk)) == ()


def test_what_is_fine_again_is_no_longer_held_against_a_draft() -> None:
    desk = learnt(*[MINE] * 6)
    assert strays("All done!", manner_of(desk))
    said(desk, "exclamation marks are fine again")
    assert strays("All done!", manner_of(desk)) == ()


def test_habits_are_learnt_from_letters_that_went_out() -> None:
    habits = measure([Letter(MINE)] * 6)
    assert (habits.greeting, habits.sign_off, habits.letters) == ("hi", "Cheers", 6)
    assert habits.sentence is not None
    assert 4 < habits.sentence[0] < 7
    assert habits.never == {"exclamation", "emoji", "contraction"}
    assert measure([Letter(MINE)] * 4).greeting == "", "four letters are no habit"
    assert measure([Letter(MINE)] * 3 + [Letter(STIFF)] * 3).greeting == "", "nor is a half"


def test_letters_changed_by_hand_count_twice() -> None:
    mixed = [Letter(MINE, edited=True)] * 4 + [Letter(STIFF)] * 2
    assert measure(mixed).greeting == "hi"
    assert measure([Letter(each.text) for each in mixed]).greeting == ""


def test_a_draft_against_the_habits_is_told_with_its_evidence() -> None:
    manner = manner_of(learnt(*[MINE] * 6))
    told = "\n".join(strays(STIFF, manner))
    for part in (
        "it has 1 exclamation mark; 100 %",
        "100 % of your last letters greet with Hi, this one does not",
        "close with Cheers, this one does not",
        "its sentences have",
    ):
        assert part in told
    assert strays(MINE, manner) == ()
    assert strays(STIFF, Manner()) == ()


def test_each_client_is_addressed_in_their_own_way() -> None:
    desk = PaperDesk(clients={"acme": client("Acme"), "globex": client("Globex")})
    formal, familiar = (
        "Guten Tag,\n\nkönnen Sie das prüfen?\n\nViele Grüße",
        "Hallo,\n\nkannst du das prüfen?\n\nViele Grüße",
    )
    desk.sent = [Letter(formal, "acme")] * 6 + [Letter(familiar, "globex")] * 6
    assert [manner_of(desk, key).habits.address for key in ("acme", "globex", "")] == ["Sie", "du", ""]
    assert any("use Sie" in each for each in strays(familiar, manner_of(desk, "acme")))
    assert strays(familiar, manner_of(desk, "globex")) == ()
    said(desk, "use du", "acme")
    assert not any("du" in each or "Sie" in each for each in strays(familiar, manner_of(desk, "acme")))


def test_parts_of_a_letter_are_found() -> None:
    assert [greets(each) for each in (MINE, "Lieber Tom,", "Sehr geehrte Frau Berg", "Well")] == [
        "hi", "liebe", "sehr geehrte", "",
    ]  # fmt: skip
    assert [closes(each) for each in (MINE, "Hi\n\nMit freundlichen Grüßen,\nTom", "Bye")] == [
        "Cheers", "Mit freundlichen Grüßen", "",
    ]  # fmt: skip
    assert [addresses(each) for each in ("Sie kommt. Sie geht.", "wenn Sie wollen", "wie du willst", "as you like")] == [
        "", "Sie", "du", "",
    ]  # fmt: skip
    assert count("contraction", "It's Anna's, isn't it? They’re here") == 3
    assert count("emoji", "Nice 🎉 :) http://x.example") == 2


def test_a_template_follows_the_manner_too() -> None:
    desk = learnt(*[MINE] * 6)
    assert (
        body(desk, "Anna Berg", ("all is well.",)) == "Hi Anna,\n\nAll is well.\n\nCheers\nNora Lind\nNora Lind Studio"
    )
    said(desk, "sign off with Best wishes")
    assert "Best wishes\nNora Lind" in body(desk, "Anna Berg", ("all is well.",))
    assert body(PaperDesk(), "", ("x",)).startswith("Hello,")
    desk = PaperDesk()
    said(desk, "greet with Liebe")
    assert body(desk, "Anna Berg", ("x",)).startswith("Hello Anna,"), "which of Liebe and Lieber nobody told"


async def test_a_model_is_told_the_manner() -> None:
    desk = learnt(*[MINE] * 6)
    said(desk, "never say kindly")
    await polish(desk, "clients", "Hi Anna,\n\nText.\n\nCheers")
    prompt = desk.asked[0][1]
    assert "never say kindly (you said so)" in prompt
    assert "greets with Hi (100 % of letters)" in prompt
    assert "The operator's letters" not in (await _asked(PaperDesk()))


async def _asked(desk: PaperDesk) -> str:
    await polish(desk, "clients", "Hi")
    return desk.asked[0][1]


def test_the_verifier_holds_mails_and_posts_to_the_tone() -> None:
    desk = PaperDesk()
    mail = ActionCall(
        name="mail.send",
        args={"to": ["billing@acme.example"], "subject": "x", "body": "Hello Anna,\n\nyes!"},
        client="acme",
    )
    post = ActionCall(name="bluesky.post", args={"text": "We opened!"})
    work = task(WriteMail(client="Acme"), "write Acme yes")
    assert check((mail, post), work, desk) == ()
    said(desk, "never use exclamation marks")
    assert [each.startswith("Tone: it has 1 exclamation mark") for each in check((mail, post), work, desk)] == [True]
    assert check((post,), work, desk)


def test_a_fact_that_was_merely_remembered_counts_when_it_is_an_order() -> None:
    desk = PaperDesk()
    desk.write(Write(kind="fact", key="note-1", data={"text": "Never use exclamation marks in letters"}))
    desk.write(Write(kind="fact", key="note-2", data={"text": "Acme never uses emojis"}))
    assert [rule.topic for rule in manner_of(desk).rules] == ["exclamation"]

"""A pretend company for measuring recall: fourteen months of talk with twelve clients, and questions with evidence.

`talk` gives the records and the questions, always the same ones. Texts come from ``topics.py``: what was said and what
is asked were written apart. Half the topics are for tuning, the other half are reported (`Question.tuning`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from memory.events import Origin
from memory.recall import Record
from tests.bench.company.topics import (
    CHANGES,
    CLIENTS,
    HOUSE_REMARKS,
    NAMED_ANSWERS,
    NAMED_QUESTIONS,
    OPERATOR,
    SMALL_TALK,
    TOPICS,
    Topic,
)

START = datetime(2025, 1, 6, 9, tzinfo=UTC)
WEEKS = 60
TOPICS_A_CLIENT = 24
NAMED_SHARE = 0.6  # of answers, and of first questions, that call the topic by its name
HOUSE_SHARE = 0.3  # of answers that mention the company


@dataclass(frozen=True)
class Question:
    """What is asked, which records answer it, and which half of the topics it is from."""

    text: str
    evidence: frozenset[int]  # places in the list of records
    kind: str  # plain | person | dated | now | first | month
    tuning: bool


class Company:
    """Writes the talk down, thread by thread, with one random generator."""

    def __init__(self, seed: int = 4) -> None:
        self._random = random.Random(seed)
        self._drafts: list[list[tuple[Record, list[tuple[str, str, bool, str]]]]] = []

    def write(self) -> tuple[list[Record], list[Question]]:
        """Return the records in the order they were said, and the questions."""
        for number, (client, people) in enumerate(CLIENTS):
            self._client(number, client, people)
        threads = sorted(self._drafts, key=lambda thread: (thread[0][0].at, thread[0][0].thread))
        records: list[Record] = []
        asked: dict[tuple[str, str, bool, str], set[int]] = {}
        for thread in threads:
            for record, questions in thread:
                for question in questions:
                    asked.setdefault(question, set()).add(len(records))
                records.append(record)
        return records, [Question(q[0], frozenset(places), q[1], q[2]) for q, places in asked.items()]

    def _client(self, number: int, client: str, people: tuple[str, ...]) -> None:
        topics = list(enumerate(TOPICS))
        self._random.shuffle(topics)
        for turn, (place, topic) in enumerate(topics[:TOPICS_A_CLIENT]):
            when = START + timedelta(
                weeks=turn * WEEKS // TOPICS_A_CLIENT, days=self._random.randrange(5), hours=number % 8
            )
            self._thread(client, people, when, [(place, topic)], f"{number}-{turn}")
        for place, change in enumerate(CHANGES):
            self._change(client, people, place, change, number)

    def _thread(
        self, client: str, people: tuple[str, ...], when: datetime, topics: list[tuple[int, Topic]], name: str
    ) -> None:
        dice = self._random
        who = dice.choice(people)
        turns: list[tuple[str, str, list[tuple[str, str, bool, str]]]] = []
        for place, topic in topics:
            turns += self._chat(who, dice.randrange(1, 4))
            value = dice.choice(topic.values)
            turns.append((OPERATOR, dice.choice(topic.openers), []))
            if dice.random() < 0.35:
                turns += self._chat(who, 1)
            questions = dice.sample(topic.questions, 2)
            if dice.random() < NAMED_SHARE:
                questions[0] = dice.choice(NAMED_QUESTIONS).replace("{topic}", topic.name)
            answer = self._worded(dice.choice(topic.answers).format(v=value), topic.name, client)
            turns.append(
                (who, answer[0].upper() + answer[1:], self._asked(questions, client, who, when, tuning=place % 2 == 0))
            )
            turns += self._chat(who, dice.randrange(1, 4))
        self._keep(client, when, name, turns)

    def _worded(self, answer: str, topic: str, client: str) -> str:
        """Let some say what they talk about, and some where they are from; others just answer."""
        dice = self._random
        lower = answer if answer.split(maxsplit=1)[0].isupper() else answer[0].lower() + answer[1:]
        if dice.random() < NAMED_SHARE:
            answer = dice.choice(NAMED_ANSWERS).format(topic=topic, answer=lower)
        if dice.random() < HOUSE_SHARE:
            answer = f"{answer} {dice.choice(HOUSE_REMARKS).format(client=client.split(maxsplit=1)[0])}"
        return answer

    def _asked(
        self, questions: list[str], client: str, who: str, when: datetime, *, tuning: bool
    ) -> list[tuple[str, str, bool, str]]:
        dice = self._random
        found = []
        for text in questions:
            short = client if dice.random() < 0.5 else client.split(maxsplit=1)[0]
            person = who if dice.random() < 0.5 else who.split(maxsplit=1)[0]
            kind = "person" if "{who}" in text else "plain"
            asked = text.format(client=short, who=person)
            if dice.random() < 0.2:
                kind, asked = (
                    "dated",
                    f"{asked.rstrip('?')} in {when:%B %Y}?" if dice.random() < 0.5 else f"In {when:%B}: {asked}",
                )
            found.append((asked, kind, tuning, client))
        return found

    def _chat(self, who: str, count: int) -> list[tuple[str, str, list[tuple[str, str, bool, str]]]]:
        dice = self._random
        return [(dice.choice((who, OPERATOR)), dice.choice(SMALL_TALK), []) for _ in range(count)]

    def _change(self, client: str, people: tuple[str, ...], place: int, change: tuple, number: int) -> None:
        _, values, sayings, now, first, month = change
        dice = self._random
        chosen = dice.sample(values, 3)
        weeks = sorted(dice.sample(range(2, WEEKS - 4), 3))
        for version, (value, week) in enumerate(zip(chosen, weeks, strict=True)):
            when = START + timedelta(weeks=week, days=dice.randrange(5), hours=3)
            short = client if dice.random() < 0.5 else client.split(maxsplit=1)[0]
            asked = [(month.format(client=short, month=f"{when:%B %Y}"), "month", place % 2 == 0, client)]
            if version == 0:
                asked.append((first.format(client=short), "first", place % 2 == 0, client))
            if version == 2:
                asked.append((now.format(client=short), "now", place % 2 == 0, client))
            who = dice.choice((dice.choice(people), OPERATOR))
            saying = sayings[version].format(v=value)
            turns = [*self._chat(people[0], 2), (who, saying[0].upper() + saying[1:], asked), *self._chat(people[0], 2)]
            self._keep(client, when, f"{number}-change-{place}-{version}", turns)

    def _keep(self, client: str, when: datetime, name: str, turns: list) -> None:
        self._drafts.append(
            [
                (
                    Record(
                        text, client=client, speaker=who, thread=name, position=position,
                        at=when + timedelta(minutes=3 * position), source=f"talk:{name}:{position}",
                        origin=Origin.OPERATOR if who == OPERATOR else Origin.CLIENT,
                    ),
                    questions,
                )
                for position, (who, text, questions) in enumerate(turns)
            ]
        )  # fmt: skip


def talk(seed: int = 4) -> tuple[list[Record], list[Question]]:
    """Return the records of the company and the questions about them; the same ones for the same seed."""
    return Company(seed).write()

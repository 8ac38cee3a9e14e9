"""T21: sixty canaries through log lines, cards, history, exports, errors and the doctor: none is found anywhere.

A service echoes secrets as services do: in an error, an address, JSON, a header in base64, a receipt, a traceback.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import random
from pathlib import Path
from urllib.parse import quote

from bot import settings, wiring
from bot.redaction import RedactingFormatter, Redactor
from bot.testing import PaperProvider, fails
from connectors.base import Json, OutcomeUnknownError, Receipt, RefusedError, TryLaterError
from memory.archive import export
from tests.torture.bare import BareHouse, Found, no_delay

STYLES = ("sk_live_{}", "xoxb-{}", "{}:AAH{}", 'pa"ss\\wörd {}', "whsec_{}+/=", "{}")
CANARIES = 60


def canaries(chance: random.Random) -> list[str]:
    return [
        STYLES[number % len(STYLES)].format(*(f"{chance.getrandbits(80):020x}" for _ in range(2)))
        for number in range(CANARIES)
    ]


def echoes(secret: str, chance: random.Random) -> str:
    """A service's words with a secret in them, somewhere."""
    basic = base64.b64encode(f"user{chance.randint(0, 99)}:{secret}".encode()).decode()
    return chance.choice((
        f"Invalid API key provided: {secret}.", f"GET https://u:{quote(secret, safe='')}@api.example/?key={quote(secret, safe='')}",
        f"Authorization: Basic {basic}", json.dumps({"error": {"key": secret}}), f"{secret}{secret}", repr({"t": secret}),
    ))  # fmt: skip


class Gossip(PaperProvider):
    """Puts a secret into every receipt."""

    def __init__(self, secrets: list[str], chance: random.Random) -> None:
        super().__init__()
        self._secrets, self._chance = secrets, chance

    def accept(self, key: str, args: dict[str, Json], *, once: bool) -> Receipt:
        super().accept(key, args, once=once)
        words = echoes(self._chance.choice(self._secrets), self._chance)
        return Receipt(ref=words, text=f"Done: {words}", data={words: [words, {"deep": words}]})


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` log lines, and a house whose services cannot keep a secret."""
    found = Found(seed)
    chance = random.Random(seed)
    secrets = canaries(chance)
    redact = Redactor(secrets)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s", redact))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        await _gossip(folder, secrets, redact, chance, found)
        log = logging.getLogger("soloist.torture")
        log.setLevel(logging.DEBUG)
        for _ in range(count):
            log.debug("-> %s", echoes(chance.choice(secrets), chance))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = stream.getvalue()
    found.counts["log lines"] = written.count("\n")
    found.expect("[secret]" in written, "nothing was redacted, so nothing was shown")
    _look("log", written, secrets, found)
    return found


async def _gossip(folder: Path, secrets: list[str], redact: Redactor, chance: random.Random, found: Found) -> None:
    house = BareHouse(folder / "home", policy=no_delay(), provider=Gossip(secrets, chance))
    async with house:
        house.runner._staff.redact = redact
        for number, secret in enumerate(secrets):
            words = echoes(secret, chance)
            kind = (RefusedError, TryLaterError, OutcomeUnknownError, RuntimeError, ValueError)[number % 5]
            if number % 6:
                house.provider.plans.append(fails(kind(words)))
            task = await house.operator(f"ask {('post', 'book', 'send')[number % 3]} body=b{number}")
            await house.press("Approve", f"{task}.1")
        await house.later(hours=1)
        shown = [*house.channel.words, *map(str, house.channel.cards.values()), *house.machine.history.stuck_lines()]
        for line in house.machine.history.tasks(500):
            shown += [house.machine.history.why(int(line.id)), house.machine.history.about_task("timeline", line.id)]
        _look("shown", "\n".join(shown), secrets, found)
        for path in export(house.machine.database, folder / "export"):
            _look(path.name, path.read_text(), secrets, found)
        found.counts["shown"] = len(shown)
    for name in ("soloist.db", "soloist.db-wal"):
        if (folder / "home" / name).exists():
            _look(name, (folder / "home" / name).read_bytes().decode("latin-1"), secrets, found)


def _look(where: str, text: str, secrets: list[str], found: Found) -> None:
    for secret in secrets:
        plain = secret.encode().decode("latin-1") if where.startswith("soloist.db") else secret
        # A stretch long enough to be worth something, so that half a secret is a hit too.
        core = max((part for part in plain.replace("\\", " ").replace('"', " ").split()), key=len)
        stretches = {plain, quote(secret, safe=""), core, core[:16], core[-16:]}
        encoded = {base64.b64encode(bytes(n) + secret.encode()).decode()[8:24] for n in range(3)}
        for stretch in stretches | encoded:
            found.expect(len(stretch) < 8 or stretch not in text, f"{where}: {secret!r} as {stretch!r}")


async def test_no_secret_is_found_anywhere(yard: Path) -> None:
    found = await torture(yard, 50_000, 21)
    assert not found.faults, found
    assert found.counts["log lines"] > 50_000


def test_every_declared_secret_is_known_to_what_keeps_it(tmp_path: Path) -> None:
    declared = (*settings.HOUSE_SETTINGS, *wiring.declared_settings())
    names = [each.name for each in declared if each.secret]
    assert len(names) >= 5
    environment = {name: f"canary-{name.lower()}-value" for name in names} | {"SOLOIST_HOME": str(tmp_path)}
    redact = wiring.redactor(settings.read(wiring.declared_settings(), environment=environment, folder=tmp_path))
    assert {redact(environment[name]) for name in names} == {"[secret]"}

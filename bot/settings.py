"""The only reader of the environment: one frozen value, made once at start.

Settings come from the environment, then from ``.env`` beside the process, then from ``.env`` in the home folder. The
company's own facts stand in ``company.toml``, the rules in ``policy.toml``, both in the home folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot import company, policy
from bot.policy import Policy, PolicyError
from connectors.base import Setting

HOUSE_SETTINGS = (
    Setting("SOLOIST_HOME", "Folder of everything that is yours: database, files, outbox.", default="~/.soloist"),
    Setting("SOLOIST_HOST", "Where the local console listens; anything but this machine is your decision.", default="127.0.0.1"),
    Setting("SOLOIST_PORT", "Its port; 0 takes a free one.", default="8321"),
    Setting("SOLOIST_CONSOLE_NAMES", "Further host names the console is reached by, separated by commas (behind a proxy)."),
    Setting("SOLOIST_MCP", "Where programs of this machine may submit goals over MCP, like 127.0.0.1:8322; empty: nowhere. Their key is in mcp.key."),
    Setting("SOLOIST_LOG", "How much is logged: debug, info, warning, error.", default="warning"),
    Setting("DATABASE_URL", "A PostgreSQL database instead of the SQLite file: postgresql+psycopg://user:password@host/name.", secret=True),
    Setting("REDIS_URL", "A Redis server for what may be lost; empty starts an embedded one, none does without.", secret=True),
    Setting("SLACK_BOT_TOKEN", "Slack: api.slack.com/apps, your app, OAuth & Permissions, Bot User OAuth Token (xoxb-).", secret=True),
    Setting("SLACK_APP_TOKEN", "Slack: your app, Basic Information, App-Level Tokens, with connections:write (xapp-).", secret=True),
    Setting("SLACK_SIGNING_SECRET", "Slack over HTTP only: your app, Basic Information, Signing Secret.", secret=True),
    Setting("SLACK_ADDRESS", "Slack over HTTP only: host:port to listen on, like 127.0.0.1:3000."),
    Setting("SLACK_API_BASE", "Where Slack answers.", default="https://slack.com/api/"),
    Setting("SLACK_OPERATOR", "Your Slack team and user id, like T0123:U0456; or pair with the code printed at start."),
    Setting("SLACK_DELEGATES", "Who else may speak to me in Slack: T0123:U0456, separated by commas; delegates.toml says what each may decide."),
    Setting("TELEGRAM_TOKEN", "Telegram: talk to @BotFather, /newbot.", secret=True),
    Setting("TELEGRAM_API_BASE", "Where Telegram answers.", default="https://api.telegram.org"),
    Setting("TELEGRAM_ADDRESS", "Telegram by webhook only: the public https address, like https://bot.example.com/telegram."),
    Setting("TELEGRAM_LISTEN", "Telegram by webhook only: host:port to listen on.", default="127.0.0.1:8443"),
    Setting("TELEGRAM_OPERATOR", "Your Telegram user id; or pair with the code printed at start."),
    Setting("TELEGRAM_DELEGATES", "Who else may speak to me in Telegram: user ids, separated by commas; delegates.toml says what each may decide."),
)  # fmt: skip


class SettingsError(Exception):
    """A setting makes no sense; the message says which one and what it should be."""


@dataclass(frozen=True)
class Settings:
    """Everything the operator decided outside the chat."""

    home: Path
    host: str
    port: int
    names: tuple[str, ...]
    log_level: str
    database_url: str
    redis_url: str
    company: Mapping[str, str]
    policy: Policy
    values: Mapping[str, str] = field(repr=False)  # every declared setting by name, secrets among them

    def secrets(self, declared: Iterable[Setting]) -> list[str]:
        """Return the secret values that are set, to be kept out of logs and prompts."""
        return [value for each in declared if each.secret and (value := self.values.get(each.name, ""))]


def read(
    declared: Iterable[Setting], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Read everything once.

    Args:
        declared: The settings of connectors, channels and models; `HOUSE_SETTINGS` are added.
        environment: Instead of the process's own, for tests.
        folder: Where a ``.env`` may lie; default: the current folder.

    Raises:
        SettingsError: A number that is none, a file that cannot be read.
        PolicyError: policy.toml makes no sense.
    """
    given = dict(os.environ if environment is None else environment)
    beside = _env_file((folder or Path.cwd()) / ".env")
    home = Path(given.get("SOLOIST_HOME") or beside.get("SOLOIST_HOME") or "~/.soloist").expanduser()
    found = {**_env_file(home / ".env"), **beside, **given}
    values = {each.name: found.get(each.name, each.default) for each in (*HOUSE_SETTINGS, *declared)}
    facts = read_company(home)
    if "MAIL_FROM" in values and not values["MAIL_FROM"]:
        values["MAIL_FROM"] = facts["email"]  # letters come from the company unless somebody else is named
    return Settings(
        home=home,
        host=values["SOLOIST_HOST"],
        port=_number("SOLOIST_PORT", values["SOLOIST_PORT"]),
        names=tuple(name.strip() for name in values["SOLOIST_CONSOLE_NAMES"].split(",") if name.strip()),
        log_level=values["SOLOIST_LOG"].upper(),
        database_url=values["DATABASE_URL"],
        redis_url=values["REDIS_URL"],
        company=facts,
        policy=read_policy(home),
        values=values,
    )


def example(declared: Iterable[Setting]) -> str:
    """Return what .env.example holds: every setting, where to get it, its default."""
    lines = [
        "# Every secret and address Soloist knows. Copy to .env here or in your home folder; all of them are optional.",
        "# Made by: python -m bot settings",
    ]
    for each in (*HOUSE_SETTINGS, *declared):
        secret = " (secret)" if each.secret else ""
        lines += ["", f"# {each.help}{secret}", f"#{each.name}={each.default}"]
    return "\n".join(lines) + "\n"


def read_company(home: Path) -> dict[str, str]:
    """Return the company's facts: ``company.toml`` over the defaults, all as text.

    Raises:
        SettingsError: The file is there and makes no sense.
    """
    try:
        return company.facts_in(_toml(home / "company.toml"))
    except ValueError as error:
        raise SettingsError(f"{home / 'company.toml'}: {error}.") from error


def read_policy(home: Path) -> Policy:
    """Return the rules of ``policy.toml``, the careful defaults when there is none.

    Raises:
        PolicyError: The file is there and makes no sense.
    """
    try:
        return policy.parse(_toml(home / "policy.toml"))
    except (KeyError, TypeError, AttributeError) as error:
        raise PolicyError(f"policy.toml is not laid out like policy.example.toml ({error}).") from error


def read_delegates(home: Path) -> list[dict[str, Any]]:
    """Return the tables of ``delegates.toml``: who may decide what besides the operator.

    Raises:
        SettingsError: The file is there and makes no sense.
    """
    tables = _toml(home / "delegates.toml").get("delegate", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError("delegates.toml holds tables that begin with [[delegate]].")
    known = {"name", "slack", "telegram", "actions", "amount_max"}
    for table in tables:
        if unknown := sorted(set(table) - known):
            raise SettingsError(
                f"delegates.toml: {', '.join(unknown)} is not known. Known are {', '.join(sorted(known))}."
            )
        if not isinstance(table.get("actions", []), list):
            raise SettingsError('delegates.toml: actions is a list, like ["mail.*"].')
    return tables


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Mend the line, or compare with the example.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}, and should be a number.") from None


def _env_file(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; quotes around a value and lines with # are left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    values = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return values

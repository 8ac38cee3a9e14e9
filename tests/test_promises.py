"""What the documents promise is there, and what is there is in the documents."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

import agents
import connectors
from agents.base import Intent
from bot import cli, conductor, policy, settings, state, wiring
from bot.commands import EXIT_USAGE
from bot.control import CONTROL
from bot.testing import MORNING, PaperHouse, understanding
from memory.events import KINDS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("bot/channels/*/README.md")]
    if "node_modules" not in path.parts
)
DECLARED = (*settings.HOUSE_SETTINGS, *wiring.declared_settings())


def words(*names: str) -> str:
    """The text of documents, one after the other."""
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """Return what does not stand in a text as a word of code: between backticks, or as part of such."""
    code = " ".join(re.findall(r"`([^`\n]+)`", text)) + "\n" + "\n".join(re.findall(r"```.*?```", text, re.DOTALL))
    return [each for each in wanted if not re.search(rf"(?<![\w.]){re.escape(each)}(?![\w])", code)]


# ── settings and policy ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_of_settings_is_what_the_command_prints() -> None:
    written = words(".env.example")
    assert written == settings.example(wiring.declared_settings()), (
        "Settings were changed: python -m bot settings > .env.example"
    )
    for each in DECLARED:
        assert written.count(f"#{each.name}=") == 1, each.name
        assert each.help.strip(), f"{each.name} does not say where to get it"
        assert not (each.secret and each.default), f"{each.name} is a secret with a default"


def section_names(text: str) -> set[str]:
    """Every section a policy file names, also those that are commented out."""
    return set(re.findall(r"(?m)^(?:# )?\[\[?(\w+)", text))


def test_the_example_policy_holds_and_names_every_section() -> None:
    text = words("policy.example.toml")
    assert policy.parse(tomllib.loads(text)).rules
    assert section_names(text) == policy._KNOWN
    awake = re.sub(r"(?m)^# (\[|\w+ = )", r"\1", text)  # what is commented out must hold as well
    everything = policy.parse(tomllib.loads(awake))
    assert everything.quiet
    assert everything.step_up_from
    assert everything.models_usd


def test_a_section_nobody_knows_would_be_noticed() -> None:
    assert section_names("[undo]\n# [quiet]\n[[rules]]\n") == {"undo", "quiet", "rules"}
    with pytest.raises(policy.PolicyError, match="'surprise' is not known"):
        policy.parse({"surprise": {}})


# ── events and actions ────────────────────────────────────────────────────────────────────────────────────────────


def named_in_match(function: object) -> set[str]:
    """The classes a function's ``match`` has a row for."""
    tree = ast.parse(inspect.getsource(function))  # type: ignore[arg-type]
    return {ast.unparse(node.cls) for node in ast.walk(tree) if isinstance(node, ast.MatchClass)}


def rows_of(text: str) -> list[str]:
    """The first cell of each row of a table of events."""
    return re.findall(r"(?m)^\| `([A-Z]\w+)` \|", text)


def test_every_event_has_its_row_and_is_decided_on() -> None:
    assert rows_of(words("memory/README.md")) == list(KINDS), "memory/README.md has one row each, in the file's order"
    assert named_in_match(conductor.decide) >= set(KINDS)


def test_every_event_changes_what_is_believed_or_says_that_it_does_not() -> None:
    assert not [kind for kind in KINDS if not re.search(rf"\b{kind}\(", inspect.getsource(state))]


def test_an_event_without_a_row_would_be_noticed() -> None:
    assert rows_of("| `Said` | words |\n| Unsaid | words |\n") == ["Said"]

    def forgetful(event: object) -> None:
        match event:
            case str():
                pass

    source = inspect.getsource(forgetful)
    found = {ast.unparse(n.cls) for n in ast.walk(ast.parse("if 1:\n" + source)) if isinstance(n, ast.MatchClass)}
    assert found == {"str"}


def test_every_action_of_every_connector_is_documented() -> None:
    text = words("connectors/README.md")
    undocumented = []
    for service, kind in connectors.discover().items():
        for name, action in kind.actions().items():
            short = missing([name], text) and missing([name.removeprefix(f"{service}.")], text)
            undocumented += [name] if short else []
            assert action.says, name
            assert all(param.doc for param in action.params), f"{name}: an argument is not explained"
    assert not undocumented, "connectors/README.md does not name them"
    for name, books in wiring.actions_of([]).items():
        assert books.says, name


def test_every_agent_and_every_intent_stands_in_the_table_of_minds() -> None:
    text = words("agents/README.md")
    found = agents.discover()
    intents = [intent.id() for agent in found.values() for intent in agent.intents]
    files = [f"{inspect.getmodule(agent).__name__.removeprefix('agents.')}.py" for agent in found.values()]  # type: ignore[union-attr]
    assert not missing(files, text)
    assert not [name for name in intents if not re.search(rf"\b{name}\b", text)]


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


def commands() -> list[str]:
    """The words after ``python -m bot``."""
    parser = cli._parser()
    return [name for each in parser._actions for name in (each.choices or ())]


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_and_stands_in_the_documents(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        cli.main([command, "--help"])
    assert leaving.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: soloist {command}")
    assert len(said.splitlines()) > 2
    text = words("README.md", "bot/README.md")
    assert not missing([command], text), f"python -m bot {command} stands neither in README.md nor in bot/README.md"


def test_a_command_that_is_not_there_would_be_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert missing(["teleport"], words("README.md", "bot/README.md")) == ["teleport"]
    with pytest.raises(SystemExit) as leaving:
        cli.main(["teleport", "--help"])
    assert leaving.value.code == EXIT_USAGE
    capsys.readouterr()


def slash() -> list[type[Intent]]:
    """Everything that can be said with a slash."""
    everyone = (*CONTROL, *(intent for agent in agents.discover().values() for intent in agent.intents))
    return [intent for intent in everyone if intent.command]


@pytest.mark.parametrize("intent", slash(), ids=lambda intent: intent.command)
def test_every_command_word_works_with_a_slash_and_with_a_bang(intent: type[Intent]) -> None:
    reading = understanding()
    for mark in "/!":
        read = reading.read(f"{mark}{intent.command}", now=MORNING, zone=policy.zone_of("UTC"))
        assert read.tier == "command", f"{mark}{intent.command} is read as {read}"
        assert read.intent in {intent.id(), ""}
        assert read.intent or read.ask, "what is missing is asked"


async def test_help_names_every_command_word(house: PaperHouse) -> None:
    await house.operator("/help")
    said = house.channel.words[-1]
    assert not [intent.command for intent in slash() if f"/{intent.command}" not in said.split()]
    await house.operator("!help")
    assert house.channel.words[-1] == said


# ── make, paths, and what must not be in a public tree ────────────────────────────────────────────────────────────


def test_the_makefile_has_its_targets_and_says_what_each_is_for() -> None:
    text = words("Makefile")
    for target in ("setup", "run", "test", "check", "bench", "torture"):
        assert re.search(rf"(?m)^{target}:.*## \S", text), target
    named = {each for path in DOCUMENTS for each in re.findall(r"(?m)[`^]make ([a-z]+)", path.read_text("utf-8"))}
    assert not [target for target in named if not re.search(rf"(?m)^{target}:", text)]


MADE_BY_RUNNING = {".venv", ".models", "results", "node_modules"}
LOOKS_LIKE_A_PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w.-]+\.(?:py|md|toml|yml|json|css|js|typ)|\*)?|[\w-]+\.(?:py|md)")
EXAMPLES = re.compile(r"(?:^|/)(?:test_)?(?:weather|drives|folder)\.py$|^room/|^memory/README\.md:|^<")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def paths_in(text: str) -> set[str]:
    """Paths between backticks, outside of blocks of code."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {each for each in re.findall(r"`([^`\n]+)`", prose) if LOOKS_LIKE_A_PATH.fullmatch(each)}


def is_there(path: str, document: Path) -> bool:
    if path.partition("/")[0] in MADE_BY_RUNNING or EXAMPLES.search(path):
        return True
    bare = path.removesuffix("*").rstrip("/")
    if any((base / bare).exists() for base in (ROOT, document.parent)):
        return True
    return any(True for room in ROOMS for _ in (ROOT / room).glob(f"**/{bare}"))


ROOMS = ("bot", "agents", "memory", "connectors", "tests")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_named_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert not sorted(path for path in paths_in(text) if not is_there(path, document))
    broken = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert not broken, f"links that lead nowhere: {broken}"


def test_a_path_that_leads_nowhere_would_be_noticed() -> None:
    (gone,) = paths_in("see `bot/nowhere.py`, and run `make test`\n```text\n`bot/block.py`\n```")
    assert gone == "bot/nowhere.py"
    assert not is_there(gone, ROOT / "README.md")
    assert is_there("bot/runner.py", ROOT / "README.md")


# Built from parts, so that this file does not hold what it looks for.
MACHINE = re.compile(
    "|".join(["/" + "work/(?:main|shared)", "/" + "root/", "/" + r"home/[a-z]+/(?!\.soloist)", "/" + "Users/[a-z]"])
)
REGISTRY = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|artifact|nexus|jfrog|pkgs|mirror)[\w.-]*|download\.py" + r"torch\.org"
)
ALLOWED = {"Makefile": {"download.py" + "torch.org"}, "docker/Dockerfile": {"download.py" + "torch.org"}}


def tracked() -> list[str]:
    """Every file in the repository, by git; without one, every file that is not made by running."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    made = {*MADE_BY_RUNNING, ".git", "__pycache__"}
    return [path.as_posix() for path in files if not made & set(path.parts)]


def strangers_in(name: str, text: str) -> list[str]:
    """Return machine paths and registry hosts that have no business in a file."""
    found = {found[0] for pattern in (MACHINE, REGISTRY) for found in pattern.finditer(text)}
    return sorted(found - ALLOWED.get(name, set()))


def test_no_machine_path_and_no_registry_stands_in_any_file() -> None:
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{name}: {each}" for each in strangers_in(name, text)]
    assert not found, "\n".join(found)


def test_a_machine_path_would_be_noticed() -> None:
    assert strangers_in("notes.md", "see /" + "work/main/x and https://py" + "pi.example/simple") == [
        "/" + "work/main",
        "https://py" + "pi.example",
    ]
    assert strangers_in("README.md", "download.py" + "torch.org")
    assert not strangers_in("Makefile", "https://download.py" + "torch.org/whl/cpu")


def test_the_house_starts_as_a_module() -> None:
    said = subprocess.run([sys.executable, "-m", "bot", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "digest" in said.stdout


# ── the container ─────────────────────────────────────────────────────────────────────────────────────────────────


def faults_of(dockerfile: str) -> list[str]:
    """Return what an image would do that this house does not."""
    lines = dockerfile.replace("\\\n", " ").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    found = [f"{source} is not there" for sources in copied for source in sources if not (ROOT / source).exists()]
    found += [f"without hashes: {line}" for line in lines if "pip install" in line and "--require-hashes" not in line]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    found += [] if users and users[-1] != "root" else ["runs as root"]
    final = dockerfile.rpartition("\nFROM ")[2]
    found += ["torch is in the last stage"] if "torch" in final else []
    found += ["the rooms may come from elsewhere"] if "PYTHONPATH=/app" not in final else []
    return found


def test_the_image_is_built_from_what_is_here_with_hashes_and_does_not_run_as_root() -> None:
    text = words("docker/Dockerfile")
    assert not faults_of(text)
    for line in ("COPY nowhere ./", "RUN pip install torch", "USER root"):
        assert faults_of(f"{text}{line}\n"), f"{line} would pass unnoticed"


def test_the_home_is_a_folder_in_the_volume_so_that_a_restore_can_put_another_in_its_place() -> None:
    mount = re.search(r"(?m)^ +- home:(\S+)$", words("docker/compose.yml"))
    assert mount is not None
    for name in ("docker/compose.yml", "docker/Dockerfile"):
        home = re.search(r"SOLOIST_HOME[:=] ?(\S+)", words(name))
        assert home is not None
        assert Path(home[1]).parent == Path(mount[1]), name


def test_nothing_that_the_image_holds_is_hidden_by_a_mount() -> None:
    mounted = re.findall(r"(?m)^ +- (?:home:)?(/[^:\s]+)", words("docker/compose.yml"))
    assert mounted == ["/data", "/tmp"], "what was learned while the image was built is read from /app"


def test_compose_publishes_the_console_on_this_machine_only() -> None:
    text = words("docker/compose.yml")
    assert re.findall(r'(?m)^ +- "([\d.:]+:\d+)"$', text) == ["127.0.0.1:8321:8321"]
    named = set(re.findall(r"(?m)^ +([A-Z_]+): ", text))
    assert named <= {each.name for each in DECLARED}

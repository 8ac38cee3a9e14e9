"""T24, second half: small faults put into the guards one by one, and whether the tests notice.

``python -m tests.torture --only T24B --count 120`` takes a sample of mutants of approvals, gate, effects and verification: a
comparison turned around, an ``and`` for an ``or``, a number one higher, a statement left out. Each is imported in place of the
real module in a process of its own, where the tests that stand on it run until one fails. A survivor is a check that no
test holds; it is listed with its line.

A mutant that changes nothing anybody can see (the order of two independent checks, a bound no test could reach) survives
rightly; those that were looked at and found so are in `HARMLESS`, each with its reason.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.abc
import importlib.machinery
import json
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from tests.torture.bare import Found

ROOT = Path(__file__).resolve().parents[2]
CPU_S = 120  # of one mutant; an endless loop is noticed, too
OURS = ("bot", "agents", "memory", "connectors", "tests")

CORE = (
    "tests/bot/test_verdicts.py",
    "tests/bot/test_presses.py", "tests/bot/test_buttons.py", "tests/bot/test_gate.py", "tests/bot/test_runner.py", "tests/stories/test_rivals.py",
    "tests/bot/test_grants.py", "tests/bot/test_batch.py", "tests/bot/test_payees.py",
    "tests/bot/test_resting.py",
)  # fmt: skip
DEEP = (
    "tests/torture/test_t09_forgery.py", "tests/bot/test_agreement.py", "tests/bot/test_checks.py",
    "tests/bot/test_plans.py", "tests/bot/test_company.py", "tests/bot/test_corrections.py",
    "tests/torture/test_t07_mutation.py",
)  # fmt: skip
"""Asked only where the quick ones have noticed nothing."""
SLOW = {
    "bot/deciding/guards.py": ("tests/torture/test_t19_limits.py", "tests/torture/test_t20_batch.py"),
    "bot/deciding/fortunes.py": ("tests/torture/test_t18_restore.py",),
    "bot/deciding/answering.py": ("tests/torture/test_t18_restore.py",),
}
DECIDING = (
    "answering", "approving", "cards", "compensating", "fortunes", "gate", "granting", "guards", "pausing", "presses",
    "restoring", "starting", "undoing", "verdicts",
)  # fmt: skip
FIRST = {
    "granting": "tests/bot/test_grants.py", "verdicts": "tests/bot/test_verdicts.py", "presses": "tests/bot/test_presses.py",
    "gate": "tests/bot/test_gate.py", "compensating": "tests/bot/test_compensating.py",
}  # fmt: skip
"""Where most of a file's mutants die: asked before the rest."""
TARGETS: dict[str, tuple[str, ...]] = {
    "bot/approvals.py": ("tests/bot/test_approvals.py", "tests/bot/test_card_now.py", *CORE),
    "bot/policy.py": ("tests/bot/test_policy.py", *CORE),
    "bot/payees.py": ("tests/bot/test_payees.py",),
    "bot/effects.py": CORE,
    "bot/executor.py": ("tests/bot/test_executor.py", *CORE),
    "bot/state.py": ("tests/bot/test_state.py", "tests/bot/test_deciding.py", *CORE),
    **{
        f"bot/deciding/{name}.py": tuple(
            dict.fromkeys(("tests/bot/test_deciding.py", *filter(None, [FIRST.get(name)]), *CORE))
        )
        for name in DECIDING
    },
    "agents/verifier.py": (
        "tests/agents/test_verifier.py",
        "tests/agents/test_manners.py",
        "tests/agents/test_tone.py",
        "tests/agents/test_injection.py",
        "tests/bot/test_checks.py",
    ),
}
HARMLESS: dict[str, str] = {
    "bot/deciding/starting.py:if effect.prepared.card: never": "the id of an effect with a card begins with that card",
    "bot/deciding/verdicts.py:0 → 1": "a streak where no rule has to be earned, which nobody reads",
    "bot/deciding/guards.py:2 → 3": "a number of a series has no colon in it",
    "bot/deciding/guards.py:1 → 2": "below every amount that may be set as a step, which are none below zero",
}
"""``path:what`` → why nobody can see it."""

SILENT = {
    "strict": "of `zip`: it states what is true anyway",
    "required": "of a parameter nobody declared: it is drawn, and never asked for",
    "n": "of `unified_diff`: lines of context are left out of what is told",
}
"""Keywords whose mutants are the same program, and why."""
COMPARED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}


@dataclass(frozen=True)
class Mutant:
    """One module with one fault in it."""

    path: str
    line: int
    what: str
    source: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class _One(ast.NodeTransformer):
    """Makes the nth fault there is to make, and counts them all."""

    def __init__(self, nth: int) -> None:
        self.nth, self.seen, self.what, self.line = nth, -1, "", 0

    def _hit(self, node: ast.AST, what: str) -> bool:
        self.seen += 1
        if self.seen != self.nth:
            return False
        self.what, self.line = what, getattr(node, "lineno", 0)
        return True

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for at, op in enumerate(node.ops):
            other = COMPARED[type(op)]
            if self._hit(node, f"{ast.unparse(node)}: {type(op).__name__} → {other.__name__}"):
                node.ops[at] = other()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._hit(node, f"{ast.unparse(node)[:80]}: and ↔ or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and self._hit(node, f"{ast.unparse(node)[:80]}: not left out"):
            return node.operand
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        other = COUNTED.get(type(node.op))
        if other and not _is_text(node) and self._hit(node, f"{ast.unparse(node)[:80]}: {other.__name__}"):
            node.op = other()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            if self._hit(node, f"{node.value} → {not node.value}"):
                return ast.copy_location(ast.Constant(not node.value), node)
        elif isinstance(node.value, int) and self._hit(node, f"{node.value} → {node.value + 1}"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """Leave alone what makes no other program, see `SILENT`."""
        return node if node.arg in SILENT else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self._hit(node, f"if {ast.unparse(node.test)[:80]}: never"):
            node.test = ast.Constant(value=False)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if self._hit(node, f"{ast.unparse(node)[:80]}: the other one"):
            node.body, node.orelse = node.orelse, node.body
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Pass(), node) if self._hit(node, f"{ast.unparse(node)[:80]}: not raised") else node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        self.generic_visit(node)
        guard = node.guard
        if guard is not None and self._hit(guard, f"case … if {ast.unparse(guard)[:80]}: always"):
            node.guard = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave decorators and signatures alone: their constants are documentation of types."""
        node.body = [self.visit(each) for each in node.body]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Leave decorators and keywords alone: frozen or not, nobody changes it."""
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr | ast.List | ast.Tuple) for side in (node.left, node.right)) or any(
        isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right)
    )


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of a file, in the order of its lines."""
    source = (ROOT / path).read_text(encoding="utf-8")
    nth = 0
    while True:
        one = _One(nth)
        tree = one.visit(ast.parse(source))
        if not one.what:
            return
        yield Mutant(path, one.line, one.what, ast.unparse(ast.fix_missing_locations(tree)))
        nth += 1


def sample(count: int, seed: int, targets: Sequence[str] = tuple(TARGETS)) -> list[Mutant]:
    """Return a sample over all targets, each as likely as it is large."""
    every = [mutant for path in targets for mutant in mutants_of(path)]
    return random.Random(seed).sample(every, min(count, len(every)))


# ── running one ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where the real module is asked for."""

    def __init__(self, path: str, source: str) -> None:
        self.name = path.removesuffix(".py").replace("/", ".")
        self.path, self.source = str(ROOT / path), source

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=self.path)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, self.path, "exec"), module.__dict__)


def _forget_ours() -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in OURS and name not in {"tests.torture.mutants", "tests", "tests.torture"}:
            del sys.modules[name]


def _child(mutant: dict[str, str], tests: list[str]) -> int:
    import pytest

    quiet = os.open(os.environ.get("MUTANTS_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    if mutant:
        sys.meta_path.insert(0, _Instead(mutant["path"], mutant["source"]))
    # What the mother has imported cannot be rewritten any more, and need not be.
    quiet_about = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *quiet_about, *tests]))


def _mother() -> None:
    """Import what is not ours once, then fork a child for each line on the input."""
    import bot.testing  # noqa: F401
    import tests.conftest
    import tests.stories.company  # noqa: F401

    _forget_ours()
    os.chdir(ROOT)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            try:
                os._exit(_child(asked["mutant"], asked["tests"]))
            except BaseException:
                traceback.print_exc()
                os._exit(99)
        _, status = os.waitpid(child, 0)
        answers.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")
        answers.flush()


async def torture(folder: Path, count: int, seed: int, targets: Sequence[str] = tuple(TARGETS)) -> Found:
    """``count`` is the size of the sample."""
    del folder
    found = Found(seed)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.torture.mutants", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    async def run(mutant: Mutant | None, tests: Sequence[str]) -> int:
        asked = {"mutant": asdict(mutant) if mutant else {}, "tests": [t for t in tests if (ROOT / t).exists()]}
        process.stdin.write(json.dumps(asked).encode() + b"\n")  # type: ignore[union-attr]
        return int(json.loads(await process.stdout.readline()))  # type: ignore[union-attr]

    try:
        for tests in dict.fromkeys(TARGETS[path] for path in targets):
            sound = await run(None, tests)
            if sound:
                found.faults.append(f"the tests fail without any mutant ({sound}): {tests}")
                return found
        for mutant in sample(count, seed, targets):
            began = time.monotonic()
            killed = await run(mutant, TARGETS[mutant.path]) != 0
            if not killed and mutant.path.startswith("bot/"):
                killed = await run(mutant, (*DEEP, *SLOW.get(mutant.path, ()))) != 0
            known = f"{mutant.path}:{mutant.what}" in HARMLESS
            found.counts["killed" if killed else "harmless" if known else "survived"] += 1
            if os.environ.get("MUTANTS_TOLD"):
                print(
                    f"{'killed' if killed else 'SURVIVED'} {time.monotonic() - began:.1f} s {mutant.name}", flush=True
                )
            if not killed and not known:
                found.counts[f"survived in {mutant.path}"] += 1
                found.faults.append(mutant.name)
    finally:
        process.stdin.close()
        await process.wait()
    share = 100 * found.counts["killed"] // max(1, found.counts["killed"] + found.counts["survived"])
    found.counts["percent killed"] = share
    if share >= 95:
        found.faults.clear()
    return found


if __name__ == "__main__":
    _mother()

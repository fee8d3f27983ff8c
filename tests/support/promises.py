# SPDX-License-Identifier: Apache-2.0
"""Promises of security, the attempts to break them, and the table of what came of it.

A promise is a sentence of docs/security.md. A test says which one it attacks, and how, with the decorator C(promise);
its fixture C(attempt) takes the control, which is the same attempt from the right place or with the right key, and what
was observed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "security.md"
TESTS = ROOT / "tests" / "adversarial"
WIDTH = 120
# Columns of the printed table, with two spaces between them.
_COLUMNS = {"attempt": 44, "control": 28, "outcome": 36, "held": 6}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def promise(sentence: str, attempt: str) -> Callable[[_Function], _Function]:
    """Mark a test as an attempt to break a promise.

    Args:
        sentence: the promise, word for word as docs/security.md has it.
        attempt: what is tried, with C({name}) for the test's parameters.
    """
    return pytest.mark.promise(sentence, attempt=attempt)


@dataclass
class Attempt:
    """One attempt to break a promise, and what came of it.

    Attributes:
        promise: sentence of docs/security.md.
        attempt: what is tried.
        controls: what showed that the attempt succeeds where it may.
        outcomes: what was observed.
        held: whether the test passed; None while it runs.
    """

    promise: str
    attempt: str
    controls: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    held: bool | None = None

    def control(self, works: bool, what: str) -> None:
        """Note that the same attempt works where it may; otherwise it proves nothing, and the test fails."""
        assert works, f"the control does not work, so the attempt would prove nothing: {what}"
        self.controls.append(what)

    def outcome(self, what: str) -> None:
        """Note what was observed, before it is judged."""
        self.outcomes.append(" ".join(what.split()))

    def faults(self) -> list[str]:
        """What a test that passed has not shown."""
        return [f"no {name} was noted" for name in ("control", "outcome") if not getattr(self, f"{name}s")]


def attempt_of(item: pytest.Item) -> Attempt | None:
    """The attempt that a test declares, its parameters filled in."""
    marker = item.get_closest_marker("promise")
    if marker is None:
        return None
    callspec = getattr(item, "callspec", None)
    return Attempt(marker.args[0], marker.kwargs["attempt"].format(**(callspec.params if callspec else {})))


def _grouped(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    for each in attempts:
        found.setdefault(each.promise, []).append(each)
    return found


def _cells(each: Attempt) -> dict[str, str]:
    return {
        "attempt": each.attempt,
        "control": "; ".join(each.controls) or "-",
        "outcome": "; ".join(each.outcomes) or "-",
        "held": "yes" if each.held else "BROKEN",
    }


def table(attempts: Iterable[Attempt]) -> str:
    """The attempts by promise, for a terminal of 120 columns."""

    def row(cells: dict[str, str]) -> Iterator[str]:
        wrapped = [textwrap.wrap(cells[name], width) or [""] for name, width in _COLUMNS.items()]
        for number in range(max(map(len, wrapped))):
            parts = (lines[number] if number < len(lines) else "" for lines in wrapped)
            yield "  ".join(part.ljust(width) for part, width in zip(parts, _COLUMNS.values(), strict=True)).rstrip()

    lines = [*row({name: name for name in _COLUMNS}), "-" * WIDTH]
    for sentence, each in _grouped(attempts).items():
        lines += [*textwrap.wrap(sentence, WIDTH), *(line for one in each for line in row(_cells(one))), ""]
    return "\n".join(lines)


def markdown(attempts: Iterable[Attempt]) -> str:
    """The attempts by promise, as a page."""
    lines = ["# Promises, attempts, outcomes", ""]
    for sentence, each in _grouped(attempts).items():
        lines += [f"## {sentence}", "", f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(one).values()) + " |" for one in each]
        lines.append("")
    return "\n".join(lines)


@dataclass(frozen=True)
class Written:
    """A promise as docs/security.md has it: the sentence, and the files of tests/adversarial that it names."""

    sentence: str
    files: tuple[str, ...]


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of the table whose heading begins with C(first), a list a row."""
    block = re.search(rf"^\| {re.escape(first)} \|.*\n\|[ :|-]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert block, f"there is no table with the column {first}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block[1].splitlines()]


def written(text: str) -> list[Written]:
    """The promises of docs/security.md."""
    return [Written(row[0], files(row[-1])) for row in rows(text, "Promise")]


def files(cell: str) -> tuple[str, ...]:
    """The files of tests that a cell names."""
    return tuple(re.findall(r"`(test_\w+\.py)`", cell))


def tested(directory: Path) -> Iterator[tuple[str, str, str | None]]:
    """File, test and promise (None: none is said) of every test, without importing it."""
    for path in sorted(directory.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.name, node.name, _promised(node)


def _promised(node: ast.FunctionDef) -> str | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "promise":
            (sentence,) = decorator.args
            assert isinstance(sentence, ast.Constant), f"{node.name}: the promise is no plain string"
            return str(sentence.value)
    return None


def faults(text: str, tests: Iterable[tuple[str, str, str | None]]) -> list[str]:
    """Where docs/security.md and the tests do not agree, one line each."""
    promises = {each.sentence: each for each in written(text)}
    found: dict[str, set[str]] = {sentence: set() for sentence in promises}
    wrong = []
    for file, name, sentence in tests:
        if sentence is None:
            wrong.append(f"tests/adversarial/{file}: {name} names no promise")
        elif sentence not in promises:
            wrong.append(f"tests/adversarial/{file}: {name} attacks what docs/security.md does not promise: {sentence}")
        else:
            found[sentence].add(file)
    for sentence, each in promises.items():
        if not found[sentence]:
            wrong.append(f"docs/security.md: no test attacks: {sentence}")
        elif found[sentence] != set(each.files):
            wrong.append(f"docs/security.md: {sentence} is tested in {', '.join(sorted(found[sentence]))}")
    return wrong

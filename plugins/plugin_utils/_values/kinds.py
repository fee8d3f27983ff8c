# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of single values is, and the kinds that take parameters.

A kind judges any object at all without raising, matches the whole value (`re.fullmatch`: `$` would let a newline pass
at the end), and bounds its length, so that messages and files stay short. Kinds are ASCII where they do not say
otherwise. The examples are valid values; the tests damage them in every way that they know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_BOOLEANS = frozenset({"y", "yes", "on", "1", "true", "t", "n", "no", "off", "0", "false", "f"})


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    Attributes:
        must: Ends the sentence `it must be ...`.
        accepts: Whether a value is of this kind; raises nothing, whatever it is given.
        examples: Values that are.
    """

    must: str
    accepts: Callable[[object], bool]
    examples: tuple[Any, ...]


def as_text(value: object) -> str | None:
    """A value as a template writes it, or None when it is no single value: YAML reads `1.41` as a number."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # Python refuses to write integers of thousands of digits.
        return str(value) if isinstance(value, float) or abs(value) < 10**18 else None
    return None


def is_plain(text: str) -> bool:
    """Whether a text has visible characters and spaces alone, in any script.

    Unicode's other separators (U+2028 ends a line for some readers), control characters, marks that turn the
    direction of writing, surrogates and unassigned characters are not printable (str.isprintable).
    """
    return text.isprintable()


def pattern(must: str, form: str, longest: int, *examples: str, also: Callable[[str], bool] | None = None) -> Kind:
    """A kind of text that an ASCII regular expression describes, and a condition beside it if given."""
    compiled = re.compile(form, re.ASCII)

    def accepts(value: object) -> bool:
        text = as_text(value)
        return (
            text is not None
            and len(text) <= longest
            and compiled.fullmatch(text) is not None
            and (also is None or also(text))
        )

    return Kind(must, accepts, examples)


def of_characters(must: str, others: str, longest: int, *examples: str, start: str) -> Kind:
    """A kind of text made of letters and digits of any script and of some other characters."""
    allowed = frozenset(others)

    def accepts(value: object) -> bool:
        text = as_text(value)
        return (
            text is not None
            and 0 < len(text) <= longest
            and (text[0].isalnum() or text[0] in start)
            and all(letter.isalnum() or letter in allowed for letter in text)
            and is_plain(text)
        )

    return Kind(must, accepts, examples)


def integer(minimum: int = -(2**63), maximum: int = 2**63 - 1) -> Kind:
    """Whole numbers, also as text: plain digits, since int() takes spaces, newlines and other scripts' digits."""

    def accepts(value: object) -> bool:
        text = as_text(value) if not isinstance(value, float) else None
        return text is not None and _INTEGER.fullmatch(text) is not None and minimum <= int(text) <= maximum

    if minimum == -(2**63) and maximum == 2**63 - 1:
        return Kind("a whole number", accepts, (1, "1"))
    if maximum == 2**63 - 1:
        return Kind(f"a whole number of at least {minimum}", accepts, (minimum + 1, str(minimum)))
    return Kind(f"a whole number from {minimum} to {maximum}", accepts, (minimum, str(maximum)))


def number(minimum: float = -math.inf, maximum: float = math.inf) -> Kind:
    """Finite numbers, also written as text."""

    def accepts(value: object) -> bool:
        text = as_text(value)
        return text is not None and _NUMBER.fullmatch(text) is not None and minimum <= float(text) <= maximum

    bounds = f" from {minimum:g} to {maximum:g}" if maximum != math.inf else ""
    bounds = bounds or (f" of at least {minimum:g}" if minimum != -math.inf else "")
    example = minimum if minimum != -math.inf else 0.5
    return Kind(f"a number{bounds}", accepts, (example, str(example)))


def boolean() -> Kind:
    """Booleans and the words that Ansible takes for them, without the spaces that it would take away."""

    def accepts(value: object) -> bool:
        found = as_text(value) if not isinstance(value, float) else None
        return isinstance(value, bool) or (found is not None and found.lower() in _BOOLEANS)

    return Kind("true or false", accepts, (True, "no"))


def words(allowed: list[Any]) -> Kind:
    """One of some words."""
    texts = [str(word) for word in allowed]
    return Kind("one of " + ", ".join(texts), lambda value: as_text(value) in texts, tuple(texts))


def line(longest: int = 256, shortest: int = 1) -> Kind:
    """One line of free text, in any script."""
    must = f"one line of {shortest} to {longest} characters without control characters"

    def accepts(value: object) -> bool:
        text = as_text(value)
        return text is not None and shortest <= len(text) <= longest and is_plain(text)

    return Kind(must, accepts, ('Größe 8; "it\'s" `$x`'[:longest].ljust(shortest, "x"), "x" * shortest))


def text(longest: int = 32768) -> Kind:
    """Free text of several lines, in any script; of control characters, tabulator and newline alone."""

    def accepts(value: object) -> bool:
        found = as_text(value)
        return found is not None and len(found) <= longest and is_plain(re.sub(r"[\t\n]", "", found))

    return Kind(f"text of at most {longest} characters without control characters", accepts, ("#!/bin/sh\necho $1\n",))


def secret(shortest: int = 1, longest: int = 1023) -> Kind:
    """A password, passphrase or token, which nobody shows: one line, in any script; the lengths are in bytes."""

    def accepts(value: object) -> bool:
        return isinstance(value, str) and is_plain(value) and shortest <= len(value.encode(errors="replace")) <= longest

    must = f"a secret of {shortest} to {longest} bytes without control characters"
    return Kind(must, accepts, ("correct horse"[:longest].ljust(shortest, "x"),))


def scalar(longest: int = 4096) -> Kind:
    """A line of text, a number or a boolean, for the values of configurations."""
    accepts_line, accepts_number = line(longest, 0).accepts, number().accepts

    def accepts(value: object) -> bool:
        return isinstance(value, bool) or (accepts_line if isinstance(value, str) else accepts_number)(value)

    return Kind(
        f"a number, a boolean or a line of at most {longest} characters without control characters",
        accepts,
        (1, 0.5, True, "plain"),
    )

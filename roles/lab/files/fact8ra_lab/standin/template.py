# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OpenNebula templates: ``NAME = "value"`` lines, ``NAME = [ KEY = "value" ]`` vectors, or XML.

The grammar and the wording of its errors follow the lexer and the parser of oned (src/parsers/template_*.{l,y}).
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

Vector = dict[str, str]
Value = str | Vector


class TemplateError(ValueError):
    """A template that cannot be read; the text is the one that oned gives."""


def cdata(text: str) -> str:
    """The text as a CDATA section; the end mark inside the text is split."""
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def escape(text: str) -> str:
    """The text with the characters that XML reserves replaced."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Template(dict[str, list[Value]]):
    """Attributes by upper-case name; a name may be there more than once, as simple or vector attribute."""

    def text(self, name: str, default: str = "") -> str:
        """The first simple value of the name."""
        for value in self.get(name, []):
            if isinstance(value, str):
                return value
        return default

    def integer(self, name: str) -> int | None:
        """The first simple value as an integer; None where there is none or it is no number."""
        try:
            return int(self.text(name))
        except ValueError:
            return None

    def vectors(self, name: str) -> list[Vector]:
        """All vector values of the name, not copied."""
        return [value for value in self.get(name, []) if isinstance(value, dict)]

    def add(self, name: str, value: Value) -> None:
        """Adds one more value."""
        self.setdefault(name.upper(), []).append(value)

    def put(self, name: str, value: Value) -> None:
        """Replaces all values of the name."""
        self[name.upper()] = [value]

    def merge(self, other: Template) -> None:
        """Takes every attribute of the other template; equal names are replaced as a whole."""
        for name, values in other.items():
            self[name] = [dict(value) if isinstance(value, dict) else value for value in values]

    def clone(self) -> Template:
        """A copy that shares nothing."""
        copy = Template()
        copy.merge(self)
        return copy

    def xml(self, root: str = "TEMPLATE") -> str:
        """The attributes in the order of their names, as oned writes them."""
        parts = [f"<{root}>"]
        for name in sorted(self):
            for value in self[name]:
                if isinstance(value, str):
                    parts.append(f"<{name}>{cdata(value)}</{name}>")
                else:
                    inner = "".join(f"<{key}>{cdata(value[key])}</{key}>" for key in sorted(value))
                    parts.append(f"<{name}>{inner}</{name}>")
        parts.append(f"</{root}>")
        return "".join(parts)


_INITIAL: Final = (
    (None, re.compile(r"[ \t]*#[^\n]*\n")),
    (None, re.compile(r"[ \t\n\r]+")),
    ("VARIABLE", re.compile(r"[A-Za-z0-9_]+")),
    ("EQUAL", re.compile(r"[ \t]*=[ \t]*")),
    ("EQUAL_EMPTY", re.compile(r"[ \t]*=[ \t]*\n")),
    ("COMMA", re.compile(r"[ \t\n]*,[ \t\n]*")),
    ("CBRACKET", re.compile(r"[ \t\n]*\][ \t\n]*")),
)
_VALUE: Final = (
    ("OBRACKET", re.compile(r"[ \t]*\[[ \t\n]*")),
    ("CCDATA", re.compile(r"[^\n]*\]\]>[^\n]*")),
    ("QUOTED", re.compile(r'"(?:\\"|[^"])*"')),
    ("STRING", re.compile(r"[^=# \t\n,\[\]]+")),
)


class _Reader:
    """Tokens of a template text, longest match first, with the columns that oned's error messages count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.value_mode = False
        self.first = 0
        self.last = 0

    def next(self) -> tuple[str, str]:
        while self.position < len(self.text):
            best: tuple[str | None, str] | None = None
            for name, pattern in _VALUE if self.value_mode else _INITIAL:
                found = pattern.match(self.text, self.position)
                if found and found.group() and (best is None or len(found.group()) > len(best[1])):
                    best = (name, found.group())
            if best is None:  # a character that no rule knows is skipped
                self.position += 1
                self.last += 1
                continue
            name, lexeme = best
            self.first, self.last = self.last, self.last + len(lexeme)
            self.position += len(lexeme)
            if name is None:
                continue
            self.value_mode = name == "EQUAL"
            if name == "QUOTED":
                return "STRING", lexeme[1:-1].replace('\\"', '"')
            if name == "STRING":
                return "STRING", lexeme.replace('\\"', '"')
            return name, lexeme
        self.first, self.last = self.last, self.last + 1
        return "$end", ""

    def fail(self, token: str, expected: tuple[str, ...]) -> TemplateError:
        line = self.text[: self.position].count("\n")
        return TemplateError(
            f"Parse error: syntax error, unexpected {token}, expecting {' or '.join(expected)}"
            f" at line {line}, columns {self.first}:{self.last}"
        )

    def want(self, *expected: str) -> tuple[str, str]:
        token, value = self.next()
        if token not in expected:
            raise self.fail(token, expected)
        return token, value


def _parse_text(text: str) -> Template:
    reader = _Reader(text)
    result = Template()
    while True:
        token, name = reader.next()
        if token == "$end":
            return result
        if token != "VARIABLE":
            raise reader.fail(token, ("$end",))
        token, _unused = reader.want("EQUAL", "EQUAL_EMPTY")
        if token == "EQUAL_EMPTY":
            result.add(name, "")
            continue
        token, value = reader.want("OBRACKET", "CCDATA", "STRING")
        if token == "CCDATA":
            raise TemplateError("Parse error: CDATA is not allowed in a template value")
        if token == "STRING":
            result.add(name, value)
            continue
        vector: Vector = {}
        token, key = reader.want("CBRACKET", "VARIABLE")
        while token != "CBRACKET":
            reader.want("EQUAL")
            _unused, value = reader.want("STRING")
            vector.setdefault(key.upper(), value)
            token, _unused = reader.want("COMMA", "CBRACKET")
            if token == "COMMA":
                token, key = reader.want("VARIABLE")
        result.add(name, vector)


def _parse_xml(text: str) -> Template:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise TemplateError(f"XML Error: {error}") from error
    result = Template()
    for element in root:
        if len(element):
            result.add(element.tag, {child.tag.upper(): child.text or "" for child in element})
        else:
            result.add(element.tag, element.text or "")
    return result


def parse(text: str) -> Template:
    """Reads a template in either form. Raises TemplateError with oned's text."""
    stripped = text.lstrip()
    return _parse_xml(stripped) if stripped.startswith("<") else _parse_text(text)

# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file pci.conf of an OpenNebula front-end: entries added and taken away, all else as it was.

The file is YAML that Ruby reads (src/im_mad/remotes/node-probes.d/pci.rb of OpenNebula 6.8 to 7.4), so its keys are
symbols. C(:filter:) is a text or a list of texts, commas between entries in both; an empty one means every device. What
it takes is narrowed by C(:short_address:) and C(:device_name:), where these are not empty.

The text is edited where an entry belongs and nowhere else, so that comments and the form of the values stay. A comment
above C(:filter:) says which entries are ours, so that only these are taken away again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from ansible_collections.fact8ra.flower.plugins.module_utils import _pci_filters

FILTER, ADDRESS, NAME = ":filter", ":short_address", ":device_name"
MARK = "# Added by role nvidia_host: "

_BOM = "\ufeff"
_ENTRY = re.compile(r"[0-9a-fA-F*]{0,4}(:[0-9a-fA-F*]{0,4}){0,2}\Z")


class PciConfError(ValueError):
    """The file cannot be edited; the text says why and what would be right."""


@dataclass(frozen=True)
class Item:
    """A text of a value and where it stands."""

    text: str
    start: int
    end: int

    @property
    def entries(self) -> list[str]:
        """What is between its commas."""
        return [part.strip() for part in self.text.split(",") if part.strip()]


@dataclass(frozen=True)
class Value:
    """A value of the file: its texts, its form (null, text, flow or block), where its key ends and where it stands."""

    items: list[Item]
    form: str
    after_key: int
    start: int
    end: int

    @property
    def entries(self) -> list[str]:
        """All its entries."""
        return [entry for item in self.items for entry in item.entries]


def canonical(entry: str) -> str:
    """An entry with its three fields, as C(lspci -d) reads it: in whatever case."""
    return _pci_filters.canonical(entry.lower())


def takes(entry: str, other: str) -> bool:
    """Whether an entry takes all devices that another one does."""
    # lspci refuses an entry without a colon
    return ":" in entry and _pci_filters.takes(entry.lower(), other.lower())


def _tree(text: str) -> yaml.MappingNode | None:
    try:
        root = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)), None)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise PciConfError(
            f"it is no YAML ({where}{getattr(error, 'problem', None) or error}), so hosts report nothing; mend it"
        ) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == "tag:yaml.org,2002:null"):
        return None
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise PciConfError("its settings are not one a line, such as  :filter: '10de:*'; write them so")
    return root


def _value(root: yaml.MappingNode | None, name: str) -> Value | None:
    """The value of a key; the last one counts, as for Ruby."""
    found = None
    for key, node in root.value if root else []:
        # a quoted key is a text for Ruby, and no symbol
        if isinstance(key, yaml.ScalarNode) and key.value == name and not key.style:
            found = (key, node)
    if found is None:
        return None
    key, node = found
    if node.start_mark.index < key.end_mark.index:
        raise PciConfError(f"{name}: is an alias of another value; write its entries there")
    after_key, start, end = key.end_mark.index, node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:null":
            return Value([], "null", after_key, start, end)
        return Value([_item(node, name)], "text", after_key, start, end)
    if not isinstance(node, yaml.SequenceNode):
        raise PciConfError(f"{name}: is neither a text nor a list of texts; write a list, such as  - '10de:*'")
    items = [_item(each, name) for each in node.value]
    return Value(items, "flow" if node.flow_style else "block", after_key, start, end)


def _item(node: yaml.Node, name: str) -> Item:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise PciConfError(f"{name}: has an entry that is no text on one line; write it as  - '10de:*'")
    return Item(str(node.value), node.start_mark.index, node.end_mark.index)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _add(text: str, name: str, new: Sequence[str]) -> str:
    """The text with entries added to a value that is there, or to none."""
    value, newline = _value(_tree(text), name), _newline(text)
    if value is None:
        body, end = _document(text)
        lead = body if not body or body.endswith("\n") else body + newline
        return lead + newline.join([f"{name}:", *(f"  - {_quoted(entry)}" for entry in new), ""]) + end
    if value.form == "text":
        # Ruby splits it at the commas
        return text[: value.start] + _quoted(",".join([*value.entries, *new])) + text[value.end :]
    if value.form == "flow":
        at = value.items[-1].end if value.items else value.start + 1
        return text[:at] + (", " if value.items else "") + ", ".join(map(_quoted, new)) + text[at:]
    indent = " " * (value.start - text.rfind("\n", 0, value.start) - 1)
    head, tail = _split_line(text, value.items[-1].end, newline)
    return head + "".join(f"{indent}- {_quoted(entry)}{newline}" for entry in new) + tail


def _split_line(text: str, index: int, newline: str) -> tuple[str, str]:
    """The text up to the end of a line, and the lines after it."""
    at = text.find("\n", index)
    return (text + newline, "") if at < 0 else (text[: at + 1], text[at + 1 :])


def _document(text: str) -> tuple[str, str]:
    """The first document of the text, and what comes after it."""
    for match in re.finditer(r"^(\.\.\.|---)(?=\s|\Z)", text, re.MULTILINE):
        before = text[: match.start()].splitlines()
        if match[1] == "..." or any(line.strip() and line.lstrip()[0] not in "#%" for line in before):
            return text[: match.start()], text[match.start() :]
    return text, ""


def _take(text: str, name: str, gone: set[str]) -> str:
    """The text without the entries."""
    value = _value(_tree(text), name)
    if value is None or not any(canonical(entry) in gone for entry in value.entries):
        return text
    kept = [[each for each in item.entries if canonical(each) not in gone] for item in value.items]
    left = [entry for entries in kept for entry in entries]
    if value.form == "text":
        return text[: value.start] + _quoted(",".join(left) or _NONE[name]) + text[value.end :]
    if value.form == "flow" or not left:
        start = value.start if value.form == "flow" else text.index(":", value.after_key) + 1
        end = value.end if value.form == "flow" else value.items[-1].end
        items = ", ".join(_quoted(entry) for entry in left or [_NONE[name]] if entry)
        return text[:start] + (" [" if text[start - 1] == ":" else "[") + items + "]" + text[end:]
    for item, entries in reversed(list(zip(value.items, kept, strict=True))):
        if not entries:
            head, tail = _split_line(text, item.end, "")
            text = head[: head.rfind("\n", 0, item.start) + 1] + tail
        elif entries != item.entries:
            text = text[: item.start] + _quoted(",".join(entries)) + text[item.end :]
    return text


_NONE = {FILTER: "0:0", ADDRESS: ""}
"""What says that no device is taken, or that addresses do not narrow."""


def _marked(text: str) -> list[str]:
    lines = (line[len(MARK) :] for line in text.splitlines() if line.startswith(MARK))
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def _with_mark(text: str, entries: Sequence[str]) -> str:
    """The text with the comment that names our entries, above C(:filter:); without one where there are none."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(MARK)]
    if entries:
        at = next((number for number, line in enumerate(lines) if line.startswith(f"{FILTER}:")), 0)
        lines.insert(at, f"{MARK}{','.join(entries)}{_newline(text)}")
    return "".join(lines)


def edit(text: str, filters: Sequence[str], addresses: Sequence[str], state: str = "present") -> str:
    """The text with C(filters), and with C(addresses) where addresses narrow it; or without what was added.

    Args:
        text: the file; "" for none.
        filters: entries C(vendor:device:class).
        addresses: addresses as lspci prints them.
        state: C(present); C(only) to take away as well what an earlier run added and is not wanted any more; or
            C(absent) to take away all that was added; the others are not looked at then.

    Raises:
        PciConfError: the file cannot be read, or an entry is none.
    """
    if text.startswith(_BOM):
        return _BOM + edit(text.removeprefix(_BOM), filters, addresses, state)
    wrong = [entry for entry in filters if not _ENTRY.match(entry)]
    if wrong:
        raise PciConfError(f"{wrong[0]!r} is no filter; it is vendor:device:class in hexadecimal digits")
    ours = _marked(text)
    if state == "absent":
        return _checked(text, _without(text, ours, []))
    if state == "only":
        wanted = {canonical(entry) for entry in (*filters, *addresses)}
        before, text = text, _without(text, ours, [entry for entry in ours if canonical(entry) in wanted])
        return _checked(before, edit(text, filters, addresses))
    root = _tree(text)
    have, shown = _value(root, FILTER), _value(root, ADDRESS)
    # nothing at all after the key means every device
    new = [] if have and have.form == "null" else _lacking(filters, have.entries if have else [])
    known = shown.entries if shown else []
    late = [address for address in dict.fromkeys(addresses) if known and address not in known]
    if not new and not late:
        return text
    edited = _add(text, FILTER, new) if new else text
    edited = _add(edited, ADDRESS, late) if late else edited
    return _checked(text, _with_mark(edited, list(dict.fromkeys([*ours, *new, *late]))))


def _without(text: str, ours: Sequence[str], kept: Sequence[str]) -> str:
    """The text without our entries, but for some."""
    gone = [entry for entry in ours if entry not in kept]
    addressed = {canonical(entry) for entry in gone if "." in entry}
    edited = _take(text, FILTER, {canonical(entry) for entry in gone} - addressed)
    return _with_mark(_take(edited, ADDRESS, addressed), kept) if gone else text


def _lacking(filters: Sequence[str], have: Sequence[str]) -> list[str]:
    return [entry for entry in dict.fromkeys(filters) if not any(takes(each, entry) for each in have)]


def _checked(before: str, after: str) -> str:
    """The edited text; raises PciConfError where it does not read, or where something else reads otherwise."""
    others = []
    for text in (before, after):
        root = _tree(text)
        pairs = root.value if root else []
        others.append([(yaml.serialize(key), yaml.serialize(node)) for key, node in pairs if key.value not in _EDITED])
    if others[0] != others[1]:
        raise PciConfError("its form cannot be edited without a change of other settings; write one setting a line")
    return after


_EDITED = (FILTER, ADDRESS)


def device_names(text: str) -> list[str]:
    """The patterns of C(:device_name:), which a device's name has to match where there are any."""
    value = _value(_tree(text), NAME)
    return [item.text for item in value.items] if value else []

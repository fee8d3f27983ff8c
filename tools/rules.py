# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of the repository that no linter knows.

Licence lines, words that do not belong in it, that action groups and doc fragments agree, that every plugin has its
test, and that the commands, files and links of the documentation exist.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from documentation import documentation_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLLECTION = "fact8ra.flower"
# Attribute fragments that put a module into an action group, by the group.
GROUP_FRAGMENTS = {"opennebula": f"{COLLECTION}._attributes.actiongroup_opennebula"}
OPTION_FRAGMENTS = {"opennebula": f"{COLLECTION}._opennebula"}
# In halves, so that `reuse lint` does not take this file's text for licence lines.
LICENCE_TAG = "SPDX-License" + "-Identifier:"
WITH_COMMENTS = {".py", ".sh", ".yml", ".yaml", ".toml", ".cfg"}
LICENCES = (
    ("plugins/module_utils/", "BSD-2-Clause"),
    ("plugins/", "GPL-3.0-or-later"),
)
OTHER_LICENCE = "Apache-2.0"
# Written by a tool, which would drop the line again.
WITHOUT_LICENCE = re.compile(r"changelogs/(changelog\.yaml|fragments/)")
SHELL_FENCE = re.compile(
    r"^(?P<fence>```+)(?:console|sh|bash|shell)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
IN_REPOSITORY = re.compile(r"^(playbooks|inventories|tools|roles|apps|docs|tests|extensions)/[\w./-]+$")

# Put together from halves, so that this file passes its own check.
FORBIDDEN = {
    re.compile(first + second): why
    for first, second, why in (
        (r"(?<![\w.~$}/-])/wo", r"rk/", "is a directory of one machine"),
        (r"/Use", r"rs/[a-z]", "is a home directory of one machine"),
        (r"(?<![\w.])/ho", r"me/(?!flower\b|[<{$])[a-z]\w*/", "is a home directory of one machine"),
        (r"\bTO", r"DO\b", "is work left undone; open an issue"),
        (r"\bFIX", r"ME\b", "is work left undone; open an issue"),
        (r"^<<<", r"<<<< ", "is left of a merge"),
        (r"(?i)\bcla", r"ude\b", "does not belong here"),
        (r"(?i)\bchat", r"gpt\b", "does not belong here"),
    )
}


def tracked(root: pathlib.Path) -> list[str]:
    """The files of the repository, also those not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def read(path: pathlib.Path) -> str:
    """The text of a file; empty if it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def licence_of(name: str) -> str:
    """The licence that the file with this name has to have."""
    return next((licence for prefix, licence in LICENCES if name.startswith(prefix)), OTHER_LICENCE)


def licence_faults(name: str, body: str) -> Iterator[str]:
    """The licence line of a file, in its first lines."""
    if pathlib.PurePath(name).suffix not in WITH_COMMENTS or not body.strip() or WITHOUT_LICENCE.match(name):
        return
    wanted = licence_of(name)
    found = re.search(LICENCE_TAG + r" *(\S+)", "\n".join(body.splitlines()[:12]))
    if not found:
        yield f"{name}: no line {LICENCE_TAG} {wanted} in its first lines"
    elif found[1] != wanted:
        yield f"{name}: licence {found[1]}; here it has to be {wanted}"


def word_faults(name: str, body: str) -> Iterator[str]:
    """Words that do not belong in the repository."""
    if name.startswith(("LICENSES/", "requirements")):
        return
    for number, line in enumerate(body.splitlines(), 1):
        for pattern, why in FORBIDDEN.items():
            if found := pattern.search(line):
                yield f"{name}:{number}: {found[0]!r} {why}"


def document_faults(root: pathlib.Path, name: str, body: str, targets: set[str]) -> Iterator[str]:
    """The commands in shell blocks and the links of a Markdown file."""
    for block in SHELL_FENCE.finditer(body):
        for line in block["body"].replace("\\\n", " ").splitlines():
            words = line.split("#")[0].removeprefix("$ ").split()
            if words[:1] == ["make"]:
                for word in words[1:]:
                    if re.fullmatch(r"[a-z][a-z0-9-]*", word) and word not in targets:
                        yield f"{name}: `make {word}` is no target of the Makefile"
                    if "=" in word or word.startswith(("-", "'", '"')):
                        break
            for word in words:
                path = word.strip("'\"").removesuffix("/")
                if IN_REPOSITORY.match(path) and not (root / path).exists():
                    yield f"{name}: {path} does not exist"
    for target in LINK.findall(body):
        path = target.split("#")[0]
        if path and not re.match(r"[a-z]+:", path) and not (root / name).parent.joinpath(path).exists():
            yield f"{name}: the link to {target} leads nowhere"


def make_targets(root: pathlib.Path) -> set[str]:
    """The names of the Makefile's targets."""
    return set(re.findall(r"^([a-z][a-z0-9-]*):", read(root / "Makefile"), re.MULTILINE))


def fragments_of(path: pathlib.Path) -> list[str]:
    """The documentation fragments that a module extends."""
    fragments = documentation_of(path).get("extends_documentation_fragment", [])
    return [fragments] if isinstance(fragments, str) else list(fragments)


def action_group_faults(root: pathlib.Path) -> Iterator[str]:
    """Action groups of meta/runtime.yml, attribute fragments and the fragment of the connection options."""
    runtime = root / "meta" / "runtime.yml"
    content: dict[str, Any] = (yaml.safe_load(read(runtime)) if runtime.is_file() else None) or {}
    groups: dict[str, list[str]] = content.get("action_groups", {})
    modules = {path.stem: fragments_of(path) for path in sorted((root / "plugins" / "modules").glob("*.py"))}
    for group, fragment in GROUP_FRAGMENTS.items():
        members = [member for member in groups.get(group, []) if isinstance(member, str)]
        for name, fragments in modules.items():
            where = f"plugins/modules/{name}.py"
            if (fragment in fragments) != (OPTION_FRAGMENTS[group] in fragments):
                yield f"{where}: extends one of {fragment} and {OPTION_FRAGMENTS[group]}; it takes both or none"
            if fragment in fragments and name not in members:
                yield f"meta/runtime.yml: {name} is missing in the action group {group}"
            if fragment not in fragments and name in members:
                yield f"{where}: is in the action group {group}, but does not extend {fragment}"


def test_faults(root: pathlib.Path) -> Iterator[str]:
    """Plugins without unit tests (modules have a gate of their own), and sanity tests that are ignored."""
    for kind in ("inventory", "filter"):
        for path in sorted((root / "plugins" / kind).glob("[!_]*.py")):
            wanted = root / "tests" / "unit" / "plugins" / kind / f"test_{path.stem}.py"
            if not wanted.is_file():
                yield f"plugins/{kind}/{path.name}: has no {wanted.relative_to(root)}"
    for path in sorted((root / "tests" / "sanity").glob("ignore*.txt")):
        if read(path).strip():
            yield f"{path.relative_to(root)}: ignores sanity tests"


def faults_of(root: pathlib.Path) -> list[str]:
    """Everything that is wrong in the repository at ``root``, one line each."""
    targets = make_targets(root)
    faults: list[str] = []
    for name in tracked(root):
        body = read(root / name)
        faults += licence_faults(name, body)
        faults += word_faults(name, body)
        if name.endswith(".md"):
            faults += document_faults(root, name, body, targets)
    return [*faults, *action_group_faults(root), *test_faults(root)]


def main() -> int:
    """Print what is wrong; return the exit status."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    faults = faults_of(ROOT)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Flower apps as directories: rules, archive, FAB, typed configuration. Private to this collection; it may change.

Sources: flwr 1.41 `cli/build.py`, `common/config.py`, `supercore/utils.py` (is_valid_name), `supercore/constant.py`.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

Scalar: TypeAlias = "bool | int | float | str"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}\Z")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")
# The suffixes that Flower takes into a FAB, and the file that tells it what to leave out.
_SUFFIXES = {".py", ".toml", ".md", ".yaml", ".yml", ".json", ".jsonl"}
_FILES = {".gitignore", "LICENSE"}
_JUNK = {"__pycache__", "build", "dist", "env", "venv", "node_modules"}
_MAX_DEPTH = 10
_MAX_BYTES = 10 * 1024 * 1024
_SINT64 = 1 << 63


@dataclass(frozen=True)
class App:
    """What pyproject.toml says of an app; `config` is flat, its keys joined by dots as Flower joins them."""

    directory: Path
    name: str
    version: str
    publisher: str
    config: dict[str, Scalar]

    def public(self) -> dict[str, Any]:
        """Return what a module returns of the app."""
        return {
            "name": self.name,
            "version": self.version,
            "publisher": self.publisher,
            "id": f"{self.publisher}/{self.name}",
            "config": self.config,
        }


def flatten(config: dict[str, Any], where: str, prefix: str = "") -> dict[str, Scalar]:
    """Join the keys of nested mappings by dots.

    Raises:
        FlowerFailure: a value is neither a mapping nor a number, text or truth value.
    """
    flat: dict[str, Scalar] = {}
    for key, value in config.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict):
            flat.update(flatten(value, where, name))
        elif isinstance(value, (bool, int, float, str)):
            flat[name] = value
        else:
            raise FlowerFailure(
                "config",
                f"{where}: {name} is {value!r} of type {type(value).__name__}; Flower takes text, integers, floats, "
                "true and false, or mappings of these.",
            )
    return flat


def read_app(directory: str) -> App:
    """Read and check an app directory.

    Raises:
        FlowerFailure: with every problem found, each naming its key in pyproject.toml.
    """
    import tomllib

    path = Path(directory)
    if not path.is_dir():
        raise FlowerFailure("app", f"app {directory} is no directory; it must hold the pyproject.toml of a Flower app.")
    try:
        data = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FlowerFailure("app", f"app {directory} has no pyproject.toml.") from None
    except (OSError, ValueError) as error:
        raise FlowerFailure("app", f"{path / 'pyproject.toml'} cannot be read: {error}.") from error
    problems = _problems(data)
    if problems:
        raise FlowerFailure("app", f"{path / 'pyproject.toml'}: " + "; ".join(problems) + ".", {"problems": problems})
    app = data["tool"]["flwr"]["app"]
    config = flatten(app.get("config", {}), f"{path / 'pyproject.toml'} [tool.flwr.app.config]")
    return App(path, data["project"]["name"], data["project"]["version"], app["publisher"], config)


def _table(data: dict[str, Any], *keys: str) -> dict[str, Any] | None:
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _problems(data: dict[str, Any]) -> list[str]:
    problems = []
    project, app = _table(data, "project"), _table(data, "tool", "flwr", "app")
    if project is None:
        problems.append("section [project] is missing")
    else:
        name = project.get("name")
        if not isinstance(name, str) or not _NAME.match(name):
            problems.append(
                f"[project] name is {name!r}; it must begin with a letter and hold at most 32 letters, digits, hyphens"
            )
        if not isinstance(project.get("version"), str):
            problems.append('[project] version is missing, for example "1.0.0"')
    if app is None:
        return [*problems, "section [tool.flwr.app] is missing, so this is no Flower app"]
    publisher = app.get("publisher")
    if not isinstance(publisher, str) or not publisher or "/" in publisher:
        problems.append(f"[tool.flwr.app] publisher is {publisher!r}; it must be a name without slashes")
    components = _table(app, "components")
    for kind in ("serverapp", "clientapp"):
        target = (components or {}).get(kind)
        if not isinstance(target, str) or not _TARGET.match(target):
            problems.append(f'[tool.flwr.app.components] {kind} is {target!r}; it must be "package.module:object"')
    return problems


def fuse(app: App, given: dict[str, Any]) -> dict[str, Scalar]:
    """Return the overrides of `given`, flat and of the types that the app declares.

    Values travel typed, so no TOML quoting is involved. Text stands for a number or a truth value where the app
    declares one, because Ansible's command line and templates know text alone.

    Raises:
        FlowerFailure: a key that the app does not declare, or a value of another type.
    """
    flat = flatten(given, "run_config")
    unknown = sorted(set(flat) - set(app.config))
    if unknown:
        known = ", ".join(sorted(app.config)) or "none"
        raise FlowerFailure(
            "config",
            f"run_config: {', '.join(unknown)} not declared by app {app.name}; [tool.flwr.app.config] has: {known}.",
            {"unknown": unknown, "declared": sorted(app.config)},
        )
    return {key: _typed(key, value, app.config[key]) for key, value in flat.items()}


def _typed(key: str, value: Scalar, declared: Scalar) -> Scalar:
    wanted = type(declared).__name__
    try:
        typed = _convert(value, declared)
    except ValueError:
        raise FlowerFailure(
            "config",
            f"run_config: {key} is {value!r}, but the app declares it as {wanted} (default {declared!r}).",
            {"key": key, "type": wanted},
        ) from None
    if isinstance(typed, int) and not -_SINT64 <= typed < _SINT64:
        raise FlowerFailure("config", f"run_config: {key} is {value!r}; Flower's integers have 64 bits.")
    return typed


def _convert(value: Scalar, declared: Scalar) -> Scalar:
    text = value.strip().lower() if isinstance(value, str) else ""
    if isinstance(declared, bool):
        if isinstance(value, bool):
            return value
        if text in {"true", "yes", "on"}:
            return True
        if text in {"false", "no", "off"}:
            return False
        raise ValueError(value)
    if isinstance(declared, str):
        if isinstance(value, str):
            return value
        raise ValueError(value)
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(declared, int):
        if isinstance(value, float):
            if not value.is_integer():
                raise ValueError(value)
            return int(value)
        return int(value)
    return float(value)


def files(directory: Path) -> list[Path]:
    """Return the files of an app that Flower would take, relative, sorted; no links, hidden folders or junk."""
    found = []
    for current, folders, names in os.walk(directory):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _JUNK and not name.endswith(".egg-info")
        )
        for name in names:
            path = Path(current, name)
            if (path.suffix in _SUFFIXES or name in _FILES) and path.is_file() and not path.is_symlink():
                found.append(path.relative_to(directory))
    return sorted(found)


def archive(app: App) -> tuple[bytes, list[Path]]:
    """Pack an app into a gzip-compressed tar whose bytes depend on names and contents alone.

    Returns:
        The archive and the files in it.

    Raises:
        FlowerFailure: the files are deeper or larger than Flower takes.
    """
    members = files(app.directory)
    deep = [str(path) for path in members if len(path.parts) > _MAX_DEPTH + 1]
    if deep:
        raise FlowerFailure("app", f"app {app.directory}: {deep[0]} lies deeper than {_MAX_DEPTH} folders.")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in members:
            content = (app.directory / path).read_bytes()
            info = tarfile.TarInfo(path.as_posix())
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    packed = gzip.compress(buffer.getvalue(), mtime=0)
    if len(packed) > _MAX_BYTES:
        raise FlowerFailure(
            "app",
            f"app {app.directory} packs to {len(packed)} bytes; Flower takes {_MAX_BYTES}. Data does not belong in an "
            "app, it lies on the nodes.",
        )
    return packed, members


@contextlib.contextmanager
def opened(path: str) -> Iterator[App]:
    """Read an app from its directory or from an archive as `archive` makes it, unpacked for the time of the block.

    Raises:
        FlowerFailure: see read_app; or the archive is none, or holds something else than plain files below it.
    """
    if not os.path.isfile(path):
        yield read_app(path)
        return
    with tempfile.TemporaryDirectory(prefix="flower-app-") as directory:
        try:
            _unpack(path, Path(directory))
        except (OSError, EOFError, tarfile.TarError) as error:
            raise FlowerFailure("app", f"app {path} is no archive of an app: {error}.") from error
        yield read_app(directory)


def _unpack(path: str, directory: Path) -> None:
    # The tar filters of Python 3.12 are not in Debian 12's 3.11, so what is not a plain file below is refused here.
    with tarfile.open(path, "r:gz") as tar:
        for member in tar:
            parts = Path(member.name).parts
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or not parts or parts[0] == "/" or ".." in parts:
                raise tarfile.TarError(f"{member.name} is not a plain file")
            target = directory.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())


def build_fab(app: App) -> tuple[bytes, str]:
    """Build the FAB with Flower's own builder and return it with its SHA-256, which is the same for the same files.

    Raises:
        FlowerFailure: Flower's builder refuses the app.
    """
    from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import flwr

    builder = flwr("flwr.cli.build")
    try:
        fab: bytes = builder.build_fab_from_disk(app.directory)
    except (ValueError, OSError) as error:
        raise FlowerFailure("app", f"app {app.directory}: Flower cannot build it: {error}") from error
    return fab, hashlib.sha256(fab).hexdigest()

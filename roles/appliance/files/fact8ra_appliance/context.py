# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The context that OpenNebula gives to this VM.

One-context writes ``/run/one-context/one_env``: lines ``export NAME="value"`` with the value as it is, nothing escaped
(context-linux/src/etc/one-context.d/loc-16-gen-env of OpenNebula/one-apps). Where cloud-init stands in its place, whose
datasource keeps no variables of ours, the block device labelled CONTEXT is read: ``context.sh`` has ``NAME='value'``
with each quote written as ``'\\''`` (oned, VirtualMachineContext.cc), ``token.txt`` OneGate's token. Neither file is
ever executed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

#: Below the root; the second one is where systems without /run merged have it.
ONE_ENV: Final = ("run/one-context/one_env", "var/run/one-context/one_env")
DEVICE: Final = "dev/disk/by-label/CONTEXT"
#: Seconds that blkid and mount may take.
_PATIENCE: Final = 20
_MOST_BYTES: Final = 1 << 20
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_WORD: Final = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])*""", re.DOTALL)
_EXPORT: Final = re.compile(rf"^export ({_NAME})=", re.MULTILINE)

Source = Literal["one-context", "device"]


class ContextMissing(Exception):
    """This VM has no context: neither one-context's file nor a device labelled CONTEXT that can be read."""


@dataclasses.dataclass(frozen=True)
class Context:
    """The variables, names to text as it was given, and where they came from."""

    variables: dict[str, str] = dataclasses.field(repr=False)
    source: Source


def exported(text: str) -> dict[str, str]:
    """The variables of one-context's file.

    A value in double quotes is what stands between them, since one-context escapes nothing, and ends where the next
    line begins with ``export NAME=``; in single quotes, or bare, it is a shell's word.
    """
    found = {}
    at = 0
    while match := _EXPORT.search(text, at):
        begin = match.end()
        if text.startswith('"', begin):
            following = _EXPORT.search(text, begin)
            at = following.start() if following else len(text)
            raw = text[begin:at].rstrip("\n")
            found[match[1]] = raw[1:-1] if len(raw) > 1 and raw.endswith('"') else raw
        else:
            word = _WORD.match(text, begin)
            at = word.end() if word else begin
            found[match[1]] = _word(text[begin:at])
    return found


def assigned(text: str) -> dict[str, str]:
    """The variables of ``context.sh``: ``NAME='value'``, a value may have several lines. Raises ContextMissing."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise ContextMissing(f"context.sh on the device CONTEXT is damaged: {error}") from error
    pairs = (word.partition("=") for word in words)
    return {name: value for name, sign, value in pairs if sign and re.fullmatch(_NAME, name)}


def read(
    root: Path = Path("/"), mount: Callable[[Path], contextlib.AbstractContextManager[Path]] | None = None
) -> Context:
    """The context of this VM.

    Args:
        root: where the system's root is.
        mount: gives the content of a device as a directory; mounted read-only by default.

    Raises ContextMissing.
    """
    for path in (root / name for name in ONE_ENV):
        with contextlib.suppress(FileNotFoundError):
            return Context(exported(_text(path)), "one-context")
    device = root / DEVICE
    if not device.exists():
        raise ContextMissing(
            f"this VM has no context: neither {root / ONE_ENV[0]} nor a device labelled CONTEXT. Is CONTEXT part of its"
            " VM template?"
        )
    with (mount or mounted)(device) as directory:
        script, token = directory / "context.sh", directory / "token.txt"
        if not script.is_file():
            raise ContextMissing(f"the device {device} has no file context.sh")
        variables = assigned(_text(script))
        given = variables.get("ONEGATE_TOKEN") or (_text(token).strip() if token.is_file() else "")
    return Context({"TOKENTXT": given} | variables if given else variables, "device")


@contextlib.contextmanager
def mounted(device: Path) -> Iterator[Path]:
    """The content of an ISO 9660 device, mounted read-only at a directory of its own. Raises ContextMissing."""
    with tempfile.TemporaryDirectory(prefix="fact8ra-context-") as name:
        options = "ro,nosuid,nodev,noexec"
        command = ["mount", "--types", "iso9660,vfat", "--options", options, str(device.resolve()), name]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            detail = (getattr(error, "stderr", None) or str(error)).strip()
            raise ContextMissing(f"the device {device} cannot be mounted: {detail}") from error
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=False, capture_output=True, timeout=_PATIENCE)


def _text(path: Path) -> str:
    """A file's text, at most a mebibyte. Raises ContextMissing for a larger one, or one that cannot be read."""
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > _MOST_BYTES:
                raise ContextMissing(f"{path} has more than {_MOST_BYTES} bytes, which no context has")
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ContextMissing(f"{path} cannot be read: {error.strerror}") from error


def _word(raw: str) -> str:
    """A word as a shell reads it; text that is none stays as it is."""
    try:
        words = shlex.split(raw, comments=False)
    except ValueError:
        return raw
    return words[0] if words else ""

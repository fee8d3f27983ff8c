# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The directory that holds the PKI: reads, atomic writes, modes, a lock. Private; it may change without notice."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644
DIRECTORY_MODE = 0o700

CA_KEY = "ca.key"
CA_CERTIFICATE = "ca.crt"
CA_NEXT_KEY = "ca.next.key"
CA_NEXT_CERTIFICATE = "ca.next.crt"
CA_PREVIOUS_CERTIFICATE = "ca.previous.crt"
TRUST = "trust.crt"
SUPERLINK_KEY = "superlink.key"
SUPERLINK_CERTIFICATE = "superlink.crt"
SUPERLINK_REQUEST = "superlink.csr"
#: Written by the role, for Prometheus.
METRICS = "certificates.prom"
SUPERNODES = "supernodes"

_TOP_LEVEL = {
    CA_KEY,
    CA_CERTIFICATE,
    CA_NEXT_KEY,
    CA_NEXT_CERTIFICATE,
    CA_PREVIOUS_CERTIFICATE,
    TRUST,
    SUPERLINK_KEY,
    SUPERLINK_CERTIFICATE,
    SUPERLINK_REQUEST,
    METRICS,
}
# A write that was cut short leaves a file of this beginning; it is never read.
_TEMPORARY = ".fact8ra-"


def private_key_of(supernode: str) -> str:
    """Path of a SuperNode's private key, relative to the directory."""
    return f"{SUPERNODES}/{supernode}.key"


def public_key_of(supernode: str) -> str:
    """Path of a SuperNode's public key, relative to the directory."""
    return f"{SUPERNODES}/{supernode}.pub"


def mode_of(name: str) -> int:
    """Permission bits that a file of the PKI must have."""
    return PRIVATE_MODE if name.endswith(".key") else PUBLIC_MODE


class Store:
    """Files of one PKI, by their path relative to its directory.

    Every method raises PkiError with the path and the system's reason when the file system refuses.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """Absolute path of a file of the PKI."""
        return self.directory / name

    def exists(self) -> bool:
        """Whether the directory is there."""
        try:
            found = self.directory.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._refused("look at", self.directory, error) from error
        if not stat.S_ISDIR(found.st_mode):
            raise PkiError(f"{self.directory} is not a directory; give the PKI a directory of its own")
        return True

    def read(self, name: str) -> bytes | None:
        """Content of a file, or None when there is none."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused("read", self.path(name), error) from error

    def supernodes(self) -> list[str]:
        """Names of the SuperNodes that have a private or public key file, sorted."""
        return sorted({entry[:-4] for entry in self._entries(SUPERNODES) if entry.endswith((".key", ".pub"))})

    def known(self) -> list[str]:
        """Every file of the PKI that is there, sorted."""
        top = [entry for entry in self._entries(".") if entry in _TOP_LEVEL]
        nodes = [f"{SUPERNODES}/{entry}" for entry in self._entries(SUPERNODES) if entry.endswith((".key", ".pub"))]
        return sorted(top + nodes)

    def foreign(self) -> list[str]:
        """Entries of the directory that a PKI does not make, sorted."""
        return sorted(entry for entry in self._entries(".") if entry not in _TOP_LEVEL | {SUPERNODES})

    def wrong_modes(self) -> dict[str, int]:
        """Permission bits of the files and directories ("." is the directory itself) that are not as they must be."""
        wanted = dict.fromkeys([".", SUPERNODES], DIRECTORY_MODE) | {name: mode_of(name) for name in self.known()}
        found = {name: self._mode(name) for name in wanted}
        return {name: mode for name, mode in found.items() if mode is not None and mode != wanted[name]}

    def correct_modes(self) -> None:
        """Give every file and directory of the PKI its permission bits."""
        for name in self.wrong_modes():
            wanted = DIRECTORY_MODE if name in (".", SUPERNODES) else mode_of(name)
            try:
                self.path(name).chmod(wanted)
            except OSError as error:
                raise self._refused("change the mode of", self.path(name), error) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all, never readable by others on the way."""
        target = self.path(name)
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        try:
            self._make(target.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fchmod(stream.fileno(), mode_of(name))
                    os.fsync(stream.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._refused("write", target, error) from error

    def remove(self, name: str) -> None:
        """Remove a file of the PKI."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("remove", self.path(name), error) from error

    def remove_empty_directories(self) -> None:
        """Remove the directories of the PKI that hold nothing any more."""
        for directory in (self.path(SUPERNODES), self.directory):
            with contextlib.suppress(OSError):
                directory.rmdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory against another process that would write; it is made when missing."""
        self.exists()
        try:
            self._make(self.directory)
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._refused("open", self.directory, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make(self, directory: Path) -> None:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)

    def _entries(self, name: str) -> list[str]:
        try:
            entries = os.listdir(self.path(name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._refused("list", self.path(name), error) from error
        return [entry for entry in entries if not entry.startswith(_TEMPORARY)]

    def _mode(self, name: str) -> int | None:
        try:
            return stat.S_IMODE(self.path(name).stat().st_mode)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused("look at", self.path(name), error) from error

    def _refused(self, verb: str, path: Path, error: OSError) -> PkiError:
        return PkiError(
            f"cannot {verb} {path}: {error.strerror}; the directory of the PKI must belong to the user who runs Ansible"
        )

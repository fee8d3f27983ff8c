# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is taken out of a tree, and the times that stay."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from fact8ra_image import clean
from fact8ra_image.system import ImageError

GONE = (
    *("etc/ssh/ssh_host_ed25519_key", "etc/hostname", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed"),
    *(
        "var/lib/apt/lists/deb.debian.org_InRelease",
        "var/cache/apt/pkgcache.bin",
        "var/log/apt/history.log",
        "etc/shadow-",
    ),
    *(
        "root/.bash_history",
        "root/.ssh/authorized_keys",
        "tmp/left",
        "usr/share/doc/acl/README",
        "usr/share/man/man1/ls.1.gz",
    ),
    *("usr/share/locale/de/LC_MESSAGES/x.mo", "var/lib/cloud/instance/user-data.txt", "var/lib/dpkg/status-old"),
    *("home/debian/.ssh/authorized_keys", "home/debian/.bash_history", "home/debian/.python_history"),
    *("etc/apt/auth.conf", "etc/apt/auth.conf.d/proxy.conf", "etc/wireguard/wg0.conf"),
    *("etc/sudoers.d/90-cloud-init-users", "opt/flower/.wheelhouse/flwr.whl", "var/log/journal/1/system.journal"),
)
KEPT = (
    "home/debian/.profile",
    "etc/apt/apt.conf",
    "var/lib/flower/data/made",
    "etc/ssh/sshd_config",
    "usr/share/doc/acl/copyright",
    "var/lib/dpkg/status",
    "etc/shadow",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with all of that."""
    for name in (*GONE, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    return tmp_path


def test_what_only_the_build_had_is_gone(tree: Path) -> None:
    clean.clean(tree, resolver="../run/systemd/resolve/stub-resolv.conf")
    assert [name for name in GONE if (tree / name).exists()] == []
    assert [name for name in KEPT if not (tree / name).exists()] == []
    assert (tree / "etc/machine-id").read_text() == ""
    assert os.readlink(tree / "etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
    assert (tree / "root/.ssh").stat().st_mode & 0o777 == 0o700


def test_where_no_resolver_is_the_file_is_empty(tree: Path) -> None:
    clean.clean(tree)
    assert (tree / "etc/resolv.conf").read_text() == ""


def test_times_are_settled_and_byte_code_stays_valid(tmp_path: Path) -> None:
    source, code, old = tmp_path / "m.py", tmp_path / "m.pyc", tmp_path / "old"
    for path in (source, old):
        path.write_text("x = 1\n")
    code.write_bytes(struct.pack("<4sIII", b"\xa7\r\r\n", 0, 2_000_000_000, 6) + b"rest")
    os.utime(source, (2_000_000_000, 2_000_000_000))
    os.utime(old, (1_000_000_000, 1_000_000_000))
    clean.settle_times(tmp_path, epoch=1_767_225_600)
    assert struct.unpack_from("<4sIII", code.read_bytes()) == (b"\xa7\r\r\n", 0, 1_767_225_600, 6)
    assert source.stat().st_mtime == code.stat().st_mtime == 1_767_225_600
    assert old.stat().st_mtime == 1_000_000_000


def test_byte_code_that_is_told_by_hash_stays_as_it_is(tmp_path: Path) -> None:
    content = struct.pack("<4sIQ", b"\xa7\r\r\n", 3, 2**63) + b"rest"
    (tmp_path / "m.pyc").write_bytes(content)
    (tmp_path / "short.pyc").write_bytes(b"\xa7")
    clean.settle_times(tmp_path, epoch=0)
    assert (tmp_path / "m.pyc").read_bytes() == content


def test_the_size_counts_blocks_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(4097))
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to("a")
    assert clean.used_bytes(tmp_path) == 2 * 4096 + 4096


def test_uv_forgets_where_wheels_came_from(tree: Path) -> None:
    info = tree / "opt/flower/venvs/1/lib/python3.11/site-packages/flwr-1.41.0.dist-info"
    info.mkdir(parents=True)
    (info / "uv_cache.json").write_text("{}")
    kept = "flwr/__init__.py,sha256=x,1\nflwr-1.41.0.dist-info/RECORD,,\n"
    (info / "RECORD").write_text(kept + "flwr-1.41.0.dist-info/uv_cache.json,sha256=y,2\n")
    clean.clean(tree)
    # The role flower holds the environment against this list.
    assert (info / "RECORD").read_text() == kept
    assert not (info / "uv_cache.json").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("var/lib/fact8ra/pki/ca.key", "var/lib/fact8ra/ca.passphrase", "var/lib/fact8ra/pin.json"),
        *("var/lib/fact8ra/join.token", "etc/flower/node.key"),
    ],
)
def test_a_base_that_is_a_node_is_refused(tree: Path, name: str) -> None:
    (tree / name).parent.mkdir(parents=True)
    (tree / name).write_text("x")
    with pytest.raises(ImageError, match=r"the base has (var/lib/fact8ra|etc/flower)/.*: it is a node"):
        clean.begin(tree)
    # Nothing was done to it.
    assert (tree / "var/lib/flower/data/made").exists()


def test_data_of_a_node_is_gone_before_the_build_makes_its_own(tree: Path) -> None:
    clean.begin(tree)
    assert list((tree / "var/lib/flower").iterdir()) == []

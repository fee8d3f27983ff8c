# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What role flower runs on a node: look.py, install.py and ready.py."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import http.server
import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_FILES = Path(__file__).parents[3] / "roles" / "flower" / "files"


def _load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"flower_node_{name}", _FILES / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


look, install, pack, ready = (_load(name) for name in ("look", "install", "pack", "ready"))


# look.py


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with one package, as install.py leaves it."""
    venv = tmp_path / "venv"
    packages = venv / "lib" / "python3.11" / "site-packages"
    (packages / "pkg-1.dist-info").mkdir(parents=True)
    (packages / "pkg.py").write_text("x = 1\n")
    (packages / "pkg-1.dist-info" / "RECORD").write_text('pkg.py,sha256=x,6\n"a, b.pyc",,\n')
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(sys.executable)
    marker = install.marker({"fingerprint": "f00"}, venv)
    (venv / ".fact8ra.json").write_text(json.dumps(marker))
    return venv


def test_a_whole_environment_has_no_fault(venv: Path) -> None:
    assert look.venv_fault(str(venv), "f00") == ""


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda v: (v / ".fact8ra.json").unlink(), "unfinished"),
        (lambda v: (v / ".fact8ra.json").write_text("{"), "unreadable: "),
        (lambda v: (v / "bin" / "python").unlink(), "damaged: bin/python does not run"),
        (lambda v: (v / "lib/python3.11/site-packages/pkg.py").unlink(), "damaged: pkg.py is missing"),
        (
            lambda v: (v / "lib/python3.11/site-packages/pkg.py").write_text(""),
            "damaged: pkg.py has 0 bytes in place of 6",
        ),
        (lambda v: (v / "lib/python3.11/site-packages/pkg-1.dist-info/RECORD").unlink(), "RECORD is missing"),
    ],
)
def test_a_damaged_environment_is_found(venv: Path, damage: Callable[[Path], None], fault: str) -> None:
    damage(venv)
    assert fault in look.venv_fault(str(venv), "f00")


def test_another_environment_is_told_apart(venv: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert look.venv_fault(str(venv), "f11") == "other requirements"
    assert look.venv_fault(str(tmp_path / "none"), "f00") == "missing"
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert look.venv_fault(str(venv), "f00") == "another Python"


def test_files_are_held_against_content_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a")
    path.chmod(0o640)
    user, group = path.owner(), path.group()
    right = {
        "path": str(path),
        "sha256": hashlib.sha256(b"a").hexdigest(),
        "mode": "0640",
        "owner": user,
        "group": group,
    }
    directory = {
        "path": str(tmp_path),
        "mode": f"{tmp_path.stat().st_mode & 0o7777:04o}",
        "owner": user,
        "group": group,
    }
    wrong = [
        {**right, "sha256": "0"},
        {**right, "mode": "0644"},
        {**right, "owner": "nobody"},
        {**right, "group": "nogroup"},
        {**right, "path": str(tmp_path / "none")},
        {**right, "sha256": None},
        {**directory, "sha256": "any"},
    ]
    assert [look.as_wanted(entry) for entry in (right, {**right, "sha256": "any"}, directory)] == [True] * 3
    assert [look.as_wanted(entry) for entry in wrong] == [False] * len(wrong)


def test_a_link_is_not_the_file_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a")
    link = tmp_path / "link"
    link.symlink_to("target")
    mode = f"{link.lstat().st_mode & 0o7777:04o}"
    wanted = {"path": str(link), "sha256": "any", "mode": mode, "owner": link.owner(), "group": link.group()}
    assert look.as_wanted(wanted) is False


@pytest.mark.parametrize("clock", [True, False])
def test_some_files_are_for_nodes_without_a_clock_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: bool
) -> None:
    monkeypatch.setattr(look, "may_set_clock", lambda: clock)
    present = tmp_path / "unwanted"
    present.write_text("")
    answer = look.look(
        {
            "files": [{"path": "/none/a", "mode": "0644"}],
            "files_without_clock": [{"path": "/none/b", "mode": "0644"}],
            "absent": [str(present), "/none/c"],
            "users": ["root", "no-such-user"],
        }
    )
    assert answer["different"] == ["/none/a", *([] if clock else ["/none/b"]), str(present)]
    assert answer["users"] == ["no-such-user"]
    assert answer["clock"] is clock
    assert answer["units"] == {}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_node_without_ipv6_is_told_apart(monkeypatch: pytest.MonkeyPatch, family: int) -> None:
    class Socket(socket.socket):
        def __init__(self, wanted: int, *_rest: object) -> None:
            if wanted != family:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(socket.AF_INET)

        def bind(self, address: object) -> None:
            assert address == ("::", 0)

    monkeypatch.setattr(look.socket, "socket", Socket)
    assert look.look({})["ipv6"] is (family == socket.AF_INET6)


def _systemctl(directory: Path, monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    program = directory / "systemctl"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_a_unit_is_stale_when_what_it_reads_is_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(look.time.clock_gettime(look.time.CLOCK_MONOTONIC) * 1e6)
    old, new = tmp_path / "old", tmp_path / "new"
    for path, age in ((old, 100), (new, 1)):
        path.write_text("")
        os.utime(path, (look.time.time() - age, look.time.time() - age))
    block = "Id={}\nActiveState={}\nUnitFileState={}\nNeedDaemonReload={}\nStateChangeTimestampMonotonic={}"
    started = now - 50_000_000
    _systemctl(
        tmp_path,
        monkeypatch,
        "\n\n".join(
            [
                block.format("a.service", "active", "enabled", "no", started),
                block.format("b.service", "active", "disabled", "no", started),
                block.format("c.service", "inactive", "enabled", "no", started),
                block.format("d.service", "active", "enabled", "yes", started),
            ]
        ),
    )
    answer = look.units(
        {"a.service": [str(old)], "b.service": [str(old), str(new)], "c.service": [str(new)], "d.service": ["/none"]}
    )
    assert answer == {
        "a.service": {"started": True, "enabled": True, "stale": False},
        "b.service": {"started": True, "enabled": False, "stale": True},
        "c.service": {"started": False, "enabled": True, "stale": False},
        "d.service": {"started": True, "enabled": True, "stale": True},
    }


# install.py


def test_only_the_wheel_of_this_machine_is_uv() -> None:
    tag = f"manylinux_2_17_{platform.machine()}.manylinux2014_{platform.machine()}"
    assert install.is_uv_wheel(f"uv-0.12.24-py3-none-{tag}.whl")
    assert install.is_uv_wheel(f"uv-0.12.24-py3-none-{tag}.whl", "0.12.24")
    assert not install.is_uv_wheel(f"uv-0.12.25-py3-none-{tag}.whl", "0.12.24")
    for other in ("musllinux_1_1_x86_64", "macosx_11_0_arm64", "manylinux_2_17_s390x"):
        assert not install.is_uv_wheel(f"uv-0.12.24-py3-none-{other}.whl")
    assert not install.is_uv_wheel("uvicorn-0.49.0-py3-none-any.whl")


def _uv_wheel(directory: Path, script: str, version: str = "0.12.24") -> Path:
    path = directory / f"uv-{version}-py3-none-manylinux_2_17_{platform.machine()}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"uv-{version}.data/scripts/uv", script)
    return path


# Stands for uv: makes an environment with one package, whose compilation is a call of its python.
_UV = """#!/bin/sh
set -e
if [ "$1" = venv ]; then
    for target; do :; done
    mkdir -p "$target/bin" "$target/lib/python3.11/site-packages/flwr-1.dist-info"
    printf '#!/bin/sh\\necho "$@" > "$(dirname "$0")/../compiled"\\n' > "$target/bin/python"
    chmod +x "$target/bin/python"
    echo "$target" > "$target/../target"
else
    echo "$@" > "$(cat "$HOME/../venvs/target")/installed"
    echo "$UV_DEFAULT_INDEX" > "$(cat "$HOME/../venvs/target")/index"
    echo 'x.py,,' > "$(cat "$HOME/../venvs/target")/lib/python3.11/site-packages/flwr-1.dist-info/RECORD"
fi
"""


def _request(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    (tmp_path / "wheels").mkdir(exist_ok=True)
    return {
        "root": str(tmp_path / "opt"),
        "fingerprint": "a" * 64,
        "requirements": ["flwr==1.41.0"],
        "constraints": ["numpy<3"],
        "wheelhouse": str(tmp_path / "wheels"),
        "index": "",
        "uv": "0.12.24",
        **changes,
    }


def test_an_environment_is_put_in_place_whole(tmp_path: Path) -> None:
    request = _request(tmp_path)
    _uv_wheel(tmp_path / "wheels", _UV)
    install.install(request)
    link = tmp_path / "opt" / "venv"
    target = tmp_path / "opt" / "venvs" / ("a" * 16)
    assert link.resolve() == target
    installed = (target / "installed").read_text()
    assert f"--no-index --find-links {tmp_path}/wheels flwr==1.41.0" in installed
    assert "--only-binary :all:" in installed
    assert (target / "compiled").read_text().startswith("-m compileall -q -j0")
    marker = json.loads((target / ".fact8ra.json").read_text())
    assert marker["packages"] == ["flwr-1"]
    assert look.venv_fault(str(link), "a" * 64) == ""
    # Nothing of the way is left.
    assert sorted(path.name for path in (tmp_path / "opt").iterdir()) == ["venv", "venvs"]


def test_the_environment_before_stays_and_older_ones_go(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    _uv_wheel(tmp_path / "wheels", _UV)
    for letter in "abc":
        install.install(_request(tmp_path, fingerprint=letter * 64))
    venvs = tmp_path / "opt" / "venvs"
    assert sorted(path.name for path in venvs.iterdir() if path.is_dir()) == ["b" * 16, "c" * 16]
    assert (tmp_path / "opt" / "venv").resolve() == venvs / ("c" * 16)


def test_a_failed_installation_leaves_the_old_environment_in_place(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    _uv_wheel(tmp_path / "wheels", _UV)
    install.install(_request(tmp_path))
    fail = '#!/bin/sh\n[ "$1" = venv ] && exit 0\necho no such package >&2\nexit 2\n'
    _uv_wheel(tmp_path / "wheels", fail, "0.12.25")
    with pytest.raises(install.InstallError, match=r"(?s)uv pip install failed:.*no such package"):
        install.install(_request(tmp_path, fingerprint="b" * 64))
    assert (tmp_path / "opt" / "venv").resolve().name == "a" * 16
    assert look.venv_fault(str(tmp_path / "opt" / "venv"), "a" * 64) == ""
    assert look.venv_fault(str(tmp_path / "opt" / "venv"), "b" * 64) == "other requirements"


def test_an_unfinished_environment_is_made_anew(tmp_path: Path) -> None:
    rest = tmp_path / "opt" / "venvs" / ("a" * 16)
    rest.mkdir(parents=True)
    (rest / "half").write_text("")
    request = _request(tmp_path)
    _uv_wheel(tmp_path / "wheels", _UV)
    install.install(request)
    assert not (rest / "half").exists()
    assert look.venv_fault(str(tmp_path / "opt" / "venv"), "a" * 64) == ""


def test_a_directory_in_place_of_the_link_is_named(tmp_path: Path) -> None:
    request = _request(tmp_path)
    _uv_wheel(tmp_path / "wheels", _UV)
    (tmp_path / "opt" / "venv").mkdir(parents=True)
    with pytest.raises(install.InstallError, match="opt/venv is not the link that this role makes"):
        install.install(request)


def test_a_wheelhouse_without_uv_is_named(tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match=r"the wheelhouse has no wheel of uv .* add uv==0\.12\.24"):
        install.install(_request(tmp_path))


def test_a_torn_wheel_is_named(tmp_path: Path) -> None:
    request = _request(tmp_path)
    _uv_wheel(tmp_path / "wheels", "x").write_bytes(b"PK")
    with pytest.raises(install.InstallError, match="is not a whole wheel of uv"):
        install.install(request)


@contextlib.contextmanager
def _index(pages: dict[str, bytes], user: str = "", seen: list[tuple[str, str]] | None = None) -> Iterator[str]:
    """A package index; with a user, for that one alone. `seen` gets path and Authorization of every request."""
    wanted = f"Basic {base64.b64encode(user.encode()).decode()}" if user else ""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if seen is not None:
                seen.append((self.path, given))
            body = pages.get(self.path)
            if body is not None and body.startswith(b"to http"):
                self.send_response(302)
                self.send_header("Location", body.decode().removeprefix("to "))
                self.end_headers()
                return
            self.send_response(401 if wanted and given != wanted else 200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        finally:
            server.shutdown()
            thread.join()


def test_uv_comes_from_the_index_with_its_hash_checked(tmp_path: Path) -> None:
    wheel = _uv_wheel(tmp_path, "the program")
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    other = f'<a href="/files/uv-0.13.0-py3-none-manylinux_2_17_{platform.machine()}.whl">newer</a>'
    page = f'<html>{other}<a href="../../files/{wheel.name}#sha256={digest}">uv</a></html>'
    with _index({"/simple/uv/": page.encode(), f"/files/{wheel.name}": content}) as index:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        uv = install.uv_of(_request(tmp_path, wheelhouse="", index=index), scratch)
        assert uv.read_text() == "the program"
        assert os.access(uv, os.X_OK)
    with _index({"/simple/uv/": page.encode(), f"/files/{wheel.name}": content + b"x"}) as index:
        request = _request(tmp_path, wheelhouse="", index=index)
        with pytest.raises(install.InstallError, match=r"is not the file that the index describes \(SHA-256 differs\)"):
            install.uv_of(request, scratch)
    with _index({"/simple/uv/": other.encode()}) as index:
        request = _request(tmp_path, wheelhouse="", index=index)
        with pytest.raises(install.InstallError, match=r"has no wheel of uv 0\.12\.24"):
            install.uv_of(request, scratch)


def test_an_index_out_of_reach_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        request = _request(tmp_path, wheelhouse="", index=address)
        with pytest.raises(install.InstallError, match=rf"cannot fetch {address}/uv/: .*flower_wheelhouse"):
            install.install(request)


def test_an_index_gets_its_password_and_nobody_else_does(tmp_path: Path) -> None:
    wheel = _uv_wheel(tmp_path, _UV)
    seen: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, str]] = []
    with _index({"/cdn": wheel.read_bytes()}, seen=elsewhere) as other:
        host = other.removesuffix("/simple")
        pages = {
            "/simple/uv/": f'<a href="/files/{wheel.name}">uv</a>'.encode(),
            f"/files/{wheel.name}": f"to {host}/cdn".encode(),
        }
        with _index(pages, "us-er:p@ss/word", seen) as index:
            address = index.replace("://", "://us-er:p%40ss%2Fword@")
            install.install(_request(tmp_path, wheelhouse="", index=address))
    assert [path for path, _given in seen] == ["/simple/uv/", f"/files/{wheel.name}"]
    assert all(given for _path, given in seen)
    assert elsewhere == [("/cdn", "")]
    target = (tmp_path / "opt" / "venv").resolve()
    assert (target / "index").read_text() == f"{address}\n"
    assert "--index-url" not in (target / "installed").read_text()
    assert "us-er" not in (target / ".fact8ra.json").read_text()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://user:s3cret@127.0.0.1:{port}/simple", "cannot fetch http://127.0.0.1:{port}/simple/uv/: "),
        ("http://user:s3c@ret@127.0.0.1:{port}/simple", "cannot fetch http://127.0.0.1:{port}/simple/uv/: "),
        ("http://user:s3cret@127.0.0.1:port/simple", "cannot fetch http://127.0.0.1:port/simple/uv/: "),
        ("http://user:s3cret@[::1/simple", "flower_index_url is not an address: "),
        ("ftp://user:s3cret@host/simple", "ftp://host/simple/uv/ is not an http(s) address"),
    ],
)
def test_a_failure_tells_neither_password_nor_traceback(tmp_path: Path, address: str, message: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        request = _request(tmp_path, wheelhouse="", index=address.format(port=port))
        # As role flower calls it: the request is no argument.
        command = [sys.executable, "-c", (_FILES / "install.py").read_text()]
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message.format(port=port) in done.stderr
    for secret in ("s3c", "ret@", "user", "Traceback"):
        assert secret not in done.stdout + done.stderr


def test_what_uv_prints_loses_its_credentials(tmp_path: Path) -> None:
    request = _request(tmp_path)
    _uv_wheel(tmp_path / "wheels", '#!/bin/sh\necho "no answer from https://user:s3cret@host/simple" >&2\nexit 2\n')
    command = [sys.executable, "-c", (_FILES / "install.py").read_text()]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    assert done.stderr == "uv venv failed:\nno answer from https://host/simple\n"


# pack.py


def _pack(tmp_path: Path, node: str) -> Path:
    request = {
        "wheelhouse": str(tmp_path / "wheels"),
        "directory": str(tmp_path / "federation" / "wheels"),
        "node": node,
    }
    packed: Path = pack.pack(request)
    return packed


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A directory with two wheels, one of them a link."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    (tmp_path / "elsewhere.whl").write_bytes(b"bb")
    (directory / "b.whl").symlink_to(tmp_path / "elsewhere.whl")
    (directory / "a.whl").write_bytes(b"a")
    (directory / "a.whl").chmod(0o600)
    (directory / "other.txt").write_text("")
    return directory


def test_an_archive_holds_the_wheels_for_everybody_to_read(tmp_path: Path, wheels: Path) -> None:
    archive = _pack(tmp_path, "node")
    with tarfile.open(archive) as stream:
        found = [(m.name, m.size, m.isreg(), oct(m.mode), m.uid, m.uname) for m in stream.getmembers()]
    assert found == [("a.whl", 1, True, "0o644", 0, "root"), ("b.whl", 2, True, "0o644", 0, "root")]
    assert oct(archive.parent.stat().st_mode & 0o777) == "0o700"
    assert wheels.is_dir()


def test_nodes_share_an_archive_that_goes_with_the_last_of_them(tmp_path: Path, wheels: Path) -> None:
    first, second = _pack(tmp_path, "node"), _pack(tmp_path, "a.node")
    assert first != second
    assert first.samefile(second)
    first.unlink()
    third = _pack(tmp_path, "b/../node")
    assert third.parent == second.parent
    assert third.samefile(second)
    second.unlink()
    third.unlink()
    assert list(third.parent.iterdir()) == []
    assert wheels.is_dir()


@pytest.mark.parametrize("change", ["size", "time", "name"])
def test_another_wheel_is_another_archive_and_the_rest_of_a_node_goes(
    tmp_path: Path, wheels: Path, change: str
) -> None:
    left, neighbour = _pack(tmp_path, "node"), _pack(tmp_path, "a.node")
    wheel = wheels / "a.whl"
    stat = wheel.stat()
    if change == "size":
        wheel.write_bytes(b"aa")
        os.utime(wheel, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "time":
        os.utime(wheel, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1000))
    else:
        wheel.rename(wheels / "c.whl")
    fresh = _pack(tmp_path, "node")
    assert fresh != left
    assert sorted(fresh.parent.iterdir()) == sorted([fresh, neighbour])
    assert _pack(tmp_path, "node") == fresh


def test_where_links_are_not_possible_every_node_has_its_own(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _pack(tmp_path, "one")

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(pack.os, "link", refuse)
    second = _pack(tmp_path, "two")
    assert not second.samefile(first)
    assert second.read_bytes() == first.read_bytes()
    assert wheels.is_dir()


# ready.py


def test_a_held_connection_is_seen_and_a_closed_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ready.connected(os.getpid(), port)
        with socket.create_connection(("127.0.0.1", port)):
            assert ready.connected(os.getpid(), port)
            assert not ready.connected(os.getpid(), port + 1)
            assert not ready.connected(os.getppid(), port)
        assert not ready.connected(os.getpid(), port)


@pytest.mark.parametrize(
    ("lines", "meaning", "final"),
    [
        (
            [
                "ERROR :     Exit Code: 305",
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer (_ssl.c:992)",
            ],
            "the SuperLink's certificate is not accepted: certificate verify failed: unable to get local issuer",
            True,
        ),
        (["ERROR :     Exit Code: 302"], "not an OpenSSH EC key", True),
        (["ERROR :     Exit Code: 305", "[code: 2004] Failed to activate SuperNode."], "refuses this key", False),
        (["INFO :      SuperNode terminated gracefully."], "clock is more than 5 seconds ahead", False),
        (["WARNING :   Connection attempt failed, retrying in 2.68 seconds"], "nothing answers", False),
        (["INFO:     Application startup complete."], "", False),
    ],
)
def test_a_journal_is_translated(lines: list[str], meaning: str, final: bool) -> None:
    found, cannot_help = ready.cause(lines)
    assert meaning in found
    assert bool(found) == bool(meaning)
    assert cannot_help is final


class _Host:
    """A host whose units, connections and journal a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = {
            "ActiveState": "active",
            "SubState": "running",
            "Result": "success",
            "MainPID": "7",
            "NRestarts": "0",
            "InvocationID": "one",
            "ExecMainStartTimestampMonotonic": "0",
        }
        self.connected = True
        self.lines: list[str] = []
        self.now = 100.0
        monkeypatch.setattr(ready, "systemd", lambda _name: dict(self.state))
        monkeypatch.setattr(ready, "connected", lambda _pid, _port: self.connected)
        monkeypatch.setattr(ready, "journal", lambda _name, _since=0: list(self.lines))
        monkeypatch.setattr(ready.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(ready.time, "clock_gettime", lambda _clock: self.now)
        monkeypatch.setattr(ready.time, "sleep", self.sleep)
        self.at: dict[float, Callable[[], None]] = {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(moment)()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> _Host:
    return _Host(monkeypatch)


_SUPERNODE = {"units": {"flower-supernode.service": 8443}, "timeout": 30}


def test_an_old_connection_is_ready_at_once(host: _Host) -> None:
    assert ready.wait(_SUPERNODE) == {"ready": True, "seconds": 0.0, "problems": [], "journal": {}}


def test_a_young_connection_must_last(host: _Host) -> None:
    host.state["ExecMainStartTimestampMonotonic"] = str(int(99 * 1e6))
    answer = ready.wait(_SUPERNODE)
    assert answer["ready"] is True
    assert 1.5 <= answer["seconds"] < 2.5


def test_a_process_that_is_started_over_and_over_is_not_ready(host: _Host) -> None:
    host.state["ExecMainStartTimestampMonotonic"] = str(int(1e12))

    def restart() -> None:
        host.state["InvocationID"] += "x"
        host.at[host.now + 1] = restart

    host.at[100.5] = restart
    host.lines = ["[code: 2004] Failed to activate SuperNode."]
    answer = ready.wait(_SUPERNODE)
    assert answer["ready"] is False
    assert answer["seconds"] > 30
    assert "refuses this key" in answer["problems"][0]
    assert answer["journal"] == {"flower-supernode.service": host.lines}


def test_what_cannot_be_waited_for_ends_the_wait(host: _Host) -> None:
    host.connected = False
    host.lines = ["[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"]
    answer = ready.wait(_SUPERNODE)
    assert answer["ready"] is False
    assert answer["seconds"] < 1
    assert "the SuperLink's certificate is not accepted" in answer["problems"][0]


def test_a_unit_that_comes_up_late_is_waited_for(host: _Host) -> None:
    host.state["ActiveState"] = "activating"
    host.at[110.0] = lambda: host.state.update(ActiveState="active")
    answer = ready.wait(_SUPERNODE)
    assert answer["ready"] is True
    assert 10 <= answer["seconds"] < 11


def test_an_address_must_answer_with_its_status(host: _Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with _index({"/health": b"ok"}) as index:
        base = index.removesuffix("/simple")
        authorities = "/etc/ssl/certs/ca-certificates.crt"
        assert ready.url_problem(f"{base}/health", authorities, 200) == ""
        assert ready.url_problem(f"{base}/none", authorities, 404) == ""
        assert ready.url_problem(f"{base}/none", authorities, 200) == f"{base}/none answers 404 in place of 200"
    assert "does not answer" in ready.url_problem(f"{base}/health", authorities, 200)
    assert "No such file" in ready.url_problem(f"{base}/health", "/none/ca.crt", 200)

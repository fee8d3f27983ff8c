# SPDX-License-Identifier: Apache-2.0
"""nginx as a process of a test, with one of the roles' configurations and everything else in a directory of its own."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_AROUND = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
user {user};
events {{}}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/{name};
}}
"""


def around(directory: Path, name: str) -> str:
    """The configuration that has nginx serve the one of that name in a directory."""
    return _AROUND.format(directory=directory, name=name, user=getpass.getuser())


def program() -> str:
    """The computer's nginx, else the one that tools/unpack.sh unpacked; without one the test fails."""
    unpacked = ROOT / "build" / "packages" / "nginx" / "usr" / "sbin" / "nginx"
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or str(unpacked)
    if not Path(found).exists():
        pytest.fail("no nginx: run tools/unpack.sh nginx")
    return found

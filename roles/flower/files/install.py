# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Installs the Flower runtime on the node, whole or not at all.

Called as ``python3 -c THIS``, with the request on standard input, since it may hold the credentials of an index and
arguments are there for everybody to read. The request is JSON::

    {"root": directory, "fingerprint": hex, "requirements": [text], "constraints": [text],
     "wheelhouse": directory or "", "index": URL or "", "uv": version}

The environment is made at ``<root>/venvs/<fingerprint>`` and gets its marker last; then the link ``<root>/venv`` is
moved to it in one step, so a service finds either the old runtime or the new one. The one before stays for a way back,
older ones go.
Exits with 1 and one paragraph on standard error, without credentials, when something is in the way.
"""

from __future__ import annotations

import hashlib
import html.parser
import http.client
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

DEFAULT_INDEX = "https://pypi.org/simple"


class InstallError(Exception):
    """Something that the operator has to put right."""


class Links(html.parser.HTMLParser):
    """Addresses of the files on a page of a package index (PEP 503), in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the target of each link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def is_uv_wheel(name: str, version: str = "") -> bool:
    """Whether a file name is that of uv's wheel for this machine (glibc), of one version if given."""
    match = re.fullmatch(r"uv-([0-9.]+)-py3-none-(.+)\.whl", name)
    if not match or (version and match[1] != version):
        return False
    return any(tag.startswith("manylinux") and tag.endswith(f"_{platform.machine()}") for tag in match[2].split("."))


def uv_wheel(request: dict[str, Any], scratch: Path) -> Path:
    """Path of a wheel of uv: from the wheelhouse, or downloaded from the index with its hash checked."""
    if request["wheelhouse"]:
        found = [path for path in Path(request["wheelhouse"]).glob("uv-*.whl") if is_uv_wheel(path.name)]
        if not found:
            raise InstallError(
                f"the wheelhouse has no wheel of uv for {platform.machine()}; add uv=={request['uv']}, which flwr needs"
                " too"
            )
        return max(found, key=lambda path: [int(part) for part in path.name.split("-")[1].split(".")])
    index, opener = opener_of(request["index"] or DEFAULT_INDEX)
    page = f"{index.rstrip('/')}/uv/"
    links = Links()
    links.feed(fetch(opener, page).decode(errors="replace"))
    for link in links.found:
        address, _separator, fragment = urllib.parse.urljoin(page, link).partition("#")
        name = urllib.parse.unquote(address.rsplit("/", 1)[1])
        if is_uv_wheel(name, request["uv"]):
            content = fetch(opener, address)
            expected = fragment.removeprefix("sha256=")
            if fragment.startswith("sha256=") and hashlib.sha256(content).hexdigest() != expected:
                raise InstallError(f"{address} is not the file that the index describes (SHA-256 differs)")
            target = scratch / name
            target.write_bytes(content)
            return target
    raise InstallError(f"the index at {page} has no wheel of uv {request['uv']} for {platform.machine()}")


def without_credentials(text: str) -> str:
    """A text whose URLs have lost their user information (RFC 3986, 3.2.1)."""
    return re.sub(r"://[^/?#\s]*@", "://", text)


def opener_of(index: str) -> tuple[str, urllib.request.OpenerDirector]:
    """Address of an index without its credentials, and what opens it with them: that host alone is given them."""
    try:
        parts = urllib.parse.urlsplit(index)
        userinfo, _at, host = parts.netloc.rpartition("@")
        user, password = (urllib.parse.unquote(part) for part in (*userinfo.split(":", 1), "")[:2])
    except ValueError as error:
        raise InstallError(f"flower_index_url is not an address: {error}") from error
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if userinfo:
        origin = urllib.parse.urlunsplit((parts.scheme, host, "/", "", ""))
        passwords.add_password(None, origin, user, password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), opener


def fetch(opener: urllib.request.OpenerDirector, address: str) -> bytes:
    """Content of an http(s) address."""
    if not address.startswith(("http://", "https://")):
        raise InstallError(f"{address} is not an http(s) address")
    try:
        with opener.open(address, timeout=60) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InstallError(
            f"cannot fetch {address}: {error}; give flower_index_url an index that the node reaches, or give"
            " flower_wheelhouse"
        ) from error


def uv_of(request: dict[str, Any], scratch: Path) -> Path:
    """The program uv, taken out of its wheel."""
    wheel = uv_wheel(request, scratch)
    uv = scratch / "uv"
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
            uv.write_bytes(archive.read(member))
    except (zipfile.BadZipFile, StopIteration) as error:
        raise InstallError(f"{wheel.name} is not a whole wheel of uv; copy or download it again") from error
    uv.chmod(0o755)
    return uv


def call(command: list[str], environment: dict[str, str]) -> None:
    """Run a command; its last lines become the error when it fails."""
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-15:])
        words = [Path(command[0]).name, *itertools.takewhile(lambda word: not word.startswith("-"), command[1:])]
        raise InstallError(f"{' '.join(words)} failed:\n{tail}")


def build(request: dict[str, Any], target: Path, scratch: Path) -> None:
    """Make the environment and put the packages into it."""
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(scratch),
        "UV_CACHE_DIR": str(scratch / "cache"),
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **{
            name: value
            for name, value in os.environ.items()
            if name.lower().endswith("_proxy") or name.startswith("SSL_")
        },
    }
    uv = str(uv_of(request, scratch))
    constraints = scratch / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in request["constraints"]), encoding="utf-8")
    source = ["--no-index", "--find-links", request["wheelhouse"]] if request["wheelhouse"] else []
    environment["UV_DEFAULT_INDEX"] = request["index"] or DEFAULT_INDEX
    call([uv, "venv", "--quiet", "--python", sys.executable, str(target)], environment)
    python = str(target / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", python]
    call([*install, "--constraints", str(constraints), *source, *request["requirements"]], environment)
    # Flower starts a process per message, and services cannot write here. uv's own compilation takes half as long
    # again, because it does not leave out the packages' tests.
    call([python, "-m", "compileall", "-q", "-j0", "-x", "/tests?/", str(target / "lib")], environment)


def marker(request: dict[str, Any], target: Path) -> dict[str, Any]:
    """What look.py holds the environment against."""
    records = sorted(
        str(path.relative_to(target)) for path in target.glob("lib/python*/site-packages/*.dist-info/RECORD")
    )
    packages = [Path(record).parent.name.removesuffix(".dist-info") for record in records]
    return {
        "fingerprint": request["fingerprint"],
        "python": list(sys.version_info[:2]),
        "packages": packages,
        "records": records,
    }


def switch(link: Path, target: Path) -> None:
    """Let a link point to a directory, in one step."""
    if link.exists() and not link.is_symlink():
        raise InstallError(f"{link} is not the link that this role makes; move it away")
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def install(request: dict[str, Any]) -> None:
    """Bring the runtime to a request, see the module's docstring."""
    root = Path(request["root"])
    link, venvs = root / "venv", root / "venvs"
    target = venvs / request["fingerprint"][:16]
    venvs.mkdir(mode=0o755, parents=True, exist_ok=True)
    before = link.resolve() if link.is_symlink() else None
    shutil.rmtree(target, ignore_errors=True)
    # On the same file system, so that uv links files in place of copying them.
    with tempfile.TemporaryDirectory(dir=root, prefix=".install-") as scratch:
        build(request, target, Path(scratch))
    draft = target / ".fact8ra.json.new"
    draft.write_text(json.dumps(marker(request, target)), encoding="utf-8")
    draft.replace(target / ".fact8ra.json")
    switch(link, target)
    shutil.rmtree(root / ".wheelhouse", ignore_errors=True)
    for other in venvs.iterdir():
        if other not in (target, before):
            shutil.rmtree(other, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    try:
        install(json.load(sys.stdin))
    except (InstallError, OSError) as fault:
        sys.exit(without_credentials(str(fault)))

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands before a boot: the disk and the clock.

The file systems that cannot be written are real (tmpfs, root); what is free is given by functions where it is not said
otherwise. The servers with wrong dates are real ones on loopback.
"""

from __future__ import annotations

import datetime
import email.utils
import errno
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from fact8ra_appliance import checks
from fact8ra_appliance.checks import Reference
from fact8ra_appliance.report import State
from fact8ra_appliance.trouble import Trouble

NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC).timestamp()
DAY = 86400.0


def space(free: int = 1 << 30, inodes: int = 100_000, free_inodes: int = 50_000) -> SimpleNamespace:
    """What statvfs says of a file system."""
    return SimpleNamespace(f_frsize=4096, f_bavail=free // 4096, f_files=inodes, f_favail=free_inodes)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A system whose image was built a month before NOW."""
    (tmp_path / "etc/fact8ra").mkdir(parents=True)
    built = datetime.datetime.fromtimestamp(NOW - 30 * DAY, datetime.UTC).isoformat()
    (tmp_path / "etc/fact8ra/appliance.json").write_text(json.dumps({"kind": "supernode", "built": built}))
    return tmp_path


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """A real tmpfs."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


class TestDisk:
    """Written, read, and with room."""

    def test_a_good_disk_passes_and_keeps_nothing(self, tmp_path: Path) -> None:
        checks.disk(tmp_path)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert (tmp_path / "var/lib/fact8ra").stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize(
        ("number", "state"),
        [
            (errno.EROFS, State.DISK_READ_ONLY),
            (errno.EIO, State.DISK_READ_ONLY),
            (errno.EPERM, State.DISK_READ_ONLY),
            (errno.ENOSPC, State.DISK_FULL),
            (errno.EDQUOT, State.DISK_FULL),
        ],
    )
    def test_what_the_kernel_says_becomes_a_state(self, tmp_path: Path, number: int, state: State) -> None:
        def probe(directory: Path) -> None:
            if directory.name == "fact8ra":
                raise OSError(number, "what the kernel says")

        with pytest.raises(Trouble, match="/var/lib/fact8ra cannot be written to: what the kernel says") as caught:
            checks.disk(tmp_path, probe=probe)
        assert caught.value.state == state

    @pytest.mark.parametrize(
        ("found", "words"),
        [
            (space(free=10 << 20), "10.0 MiB free and needs 64.0 MiB"),
            (space(free_inodes=3), "3 free inodes and needs 1000"),
        ],
    )
    def test_room_is_counted_in_bytes_and_inodes(self, tmp_path: Path, found: SimpleNamespace, words: str) -> None:
        with pytest.raises(Trouble, match=words) as caught:
            checks.disk(tmp_path, space=lambda _path: found)
        assert caught.value.state == State.DISK_FULL
        assert "enlarge the disk" in str(caught.value)

    def test_a_file_system_without_a_table_of_inodes_is_not_full(self, tmp_path: Path) -> None:
        checks.disk(tmp_path, space=lambda _path: space(inodes=0, free_inodes=0))

    def test_a_disk_that_gives_back_something_else_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks.os, "pread", lambda *_arguments: b"something else")
        with pytest.raises(OSError, match="something other than was written"):
            checks.write_and_read(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.root
    def test_a_file_system_that_is_read_only(self, tmp_path: Path) -> None:
        with (
            mounted(tmp_path / "etc", "ro,size=1m"),
            pytest.raises(Trouble, match="Read-only file system") as caught,
        ):
            checks.disk(tmp_path, space=lambda _path: space())
        assert caught.value.state == State.DISK_READ_ONLY

    @pytest.mark.root
    @pytest.mark.parametrize("options", ["size=4k", "size=1m,nr_inodes=2"])
    def test_a_file_system_that_is_full(self, tmp_path: Path, options: str) -> None:
        with mounted(tmp_path / "var/lib/fact8ra", options) as full:
            # A block, or the last inode.
            (full / "filler").write_bytes(b"x" * 4096 if "nr_inodes" not in options else b"")
            with pytest.raises(Trouble) as caught:
                checks.disk(tmp_path, space=lambda _path: space())
        assert caught.value.state == State.DISK_FULL

    @pytest.mark.root
    def test_real_figures_of_a_small_file_system(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "var/lib/fact8ra", "size=2m"), pytest.raises(Trouble, match=r"2\.0 MiB free"):
            checks.disk(tmp_path)
        with (
            mounted(tmp_path / "var/lib/fact8ra", "size=100m,nr_inodes=50"),
            pytest.raises(Trouble, match="inodes"),
        ):
            checks.disk(tmp_path)


class _Dated(http.server.BaseHTTPRequestHandler):
    """Answers 404 with the date that the server was told; none with an empty one."""

    date = ""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response_only(404)
        if self.date:
            self.send_header("Date", self.date)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def dated(date: str) -> Iterator[str]:
    """The address of a server that says a date."""
    handler = type("Handler", (_Dated,), {"date": date})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestDates:
    """The header Date of a server."""

    @pytest.mark.parametrize("away", [-365 * DAY, -10.0, 0.0, 400.0, 365 * DAY])
    def test_tells_how_far_its_clock_is(self, away: float) -> None:
        with dated(email.utils.formatdate(time.time() + away, usegmt=True)) as url:
            ahead = checks.http_date(url)
        assert ahead is not None
        assert abs(ahead - away) <= 1.5

    @pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2026 00:00:00 GMT"])
    def test_no_date_is_no_reference(self, date: str) -> None:
        with dated(date) as url:
            assert checks.http_date(url) is None
            assert checks.onegate(url) == []

    def test_nobody_there_is_no_reference(self) -> None:
        assert checks.onegate("http://127.0.0.1:1", timeout=0.5) == []
        assert checks.superlink("127.0.0.1", 1, timeout=0.5) == []
        assert checks.onegate("no address") == []


class TestClock:
    """Ours against others."""

    def test_a_right_clock_is_left_alone(self, image: Path) -> None:
        def step(_servers: Sequence[str]) -> str:
            raise AssertionError("chrony was asked")

        checks.clock(lambda: [Reference("OneGate", 2.0, checks.ONEGATE_BOUND)], root=image, now=lambda: NOW, step=step)

    @pytest.mark.parametrize("ahead", [-5.0, -4.1, 304.9, 400.0])
    def test_the_superlink_is_held_to_flowers_bound(self, image: Path, ahead: float) -> None:
        with pytest.raises(Trouble, match="from 4 s behind to 304 s ahead is accepted") as caught:
            checks.clock(
                lambda: [Reference("the SuperLink", ahead, checks.SUPERLINK_BOUND)],
                root=image,
                now=lambda: NOW,
                step=lambda _servers: "no NTP server answered within 12 s",
            )
        assert caught.value.state == State.CLOCK_WRONG

    @pytest.mark.parametrize("ahead", [-3.9, 0.0, 303.9])
    def test_within_flowers_bound_is_right(self, image: Path, ahead: float) -> None:
        checks.clock(
            lambda: [Reference("the SuperLink", ahead, checks.SUPERLINK_BOUND)], root=image, now=lambda: NOW, step=None
        )

    def test_a_year_ahead_names_both_clocks_the_bound_and_the_cure(self, image: Path) -> None:
        with pytest.raises(Trouble) as caught:
            checks.clock(
                lambda: [Reference("OneGate (http://192.0.2.1:5030)", -365 * DAY, checks.ONEGATE_BOUND)],
                root=image,
                now=lambda: NOW + 365 * DAY,
                step=lambda _servers: "no NTP server answered within 12 s",
            )
        text = str(caught.value)
        assert (
            "says 2027-11-24 12:00:00 UTC and that of OneGate (http://192.0.2.1:5030) 2026-11-24 12:00:00 UTC" in text
        )
        assert "365 days behind; from 300 s behind to 300 s ahead is accepted" in text
        assert "no NTP server answered within 12 s" in text
        assert "Give ONEAPP_FLOWER_NTP_SERVERS" in text
        assert "No certificate was issued" in text

    def test_before_the_image_was_built_is_wrong_without_any_other_clock(self, image: Path) -> None:
        with pytest.raises(Trouble, match=r"says 2025-11-24 .* before its image was built .2026-10-25"):
            checks.clock(list, root=image, now=lambda: NOW - 365 * DAY, step=lambda _servers: "")

    def test_the_age_of_the_description_stands_in_for_what_it_does_not_say(self, image: Path) -> None:
        path = image / "etc/fact8ra/appliance.json"
        path.write_text('{"kind": "supernode"}')
        assert checks.built(image) == path.stat().st_mtime
        path.unlink()
        assert checks.built(image) == 0.0

    def test_chrony_has_its_moment_and_the_boot_goes_on(self, image: Path) -> None:
        seconds = [NOW - 365 * DAY]
        asked: list[Sequence[str]] = []

        def step(servers: Sequence[str]) -> str:
            asked.append(servers)
            seconds[0] = NOW
            return ""

        checks.clock(
            lambda: [Reference("OneGate", NOW - seconds[0], checks.ONEGATE_BOUND)],
            root=image,
            servers=["192.0.2.9"],
            now=lambda: seconds[0],
            step=step,
        )
        assert asked == [["192.0.2.9"]]

    def test_a_real_server_that_is_a_year_away(self, image: Path) -> None:
        next_year = email.utils.formatdate(time.time() + 365 * DAY, usegmt=True)
        with dated(next_year) as url, pytest.raises(Trouble, match=f"OneGate .{url}.*365 days ahead"):
            checks.clock(lambda: checks.onegate(url), root=image, step=lambda _servers: "it may not")


class TestChrony:
    """The commands that set the clock; chronyc itself is a list of what was called here."""

    def test_asks_the_servers_of_the_context_and_steps(self) -> None:
        called: list[Sequence[str]] = []
        assert checks.chrony(["192.0.2.9"], lambda command: called.append(command) or 0) == ""
        assert ["chronyc", "add", "server", "192.0.2.9", "iburst"] in called
        assert called[-1] == ["chronyc", "makestep"]

    @pytest.mark.parametrize(
        ("failing", "words"),
        [("systemctl", "does not start"), ("waitsync", "no NTP server"), ("makestep", "may not set the clock")],
    )
    def test_says_why_it_could_not(self, failing: str, words: str) -> None:
        assert words in checks.chrony([], lambda command: int(failing in command))

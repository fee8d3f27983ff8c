# SPDX-License-Identifier: Apache-2.0
"""Traffic between the sites, recorded and decrypted, and the search for data in it."""

from __future__ import annotations

import base64
import gzip
import re
import signal
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

# Eight neighbouring values of a float64 vector; a chance hit of so many bytes does not happen.
_WINDOW = 64
_HEX = re.compile(r"([0-9a-f]{2})+")


class Capture:
    """Everything that crosses the link between the sites while the block runs.

    Args:
        namespace: network namespace that routes between the sites.
        path: where the packets are written, in pcapng.
    """

    def __init__(self, namespace: str, path: Path) -> None:
        self.path = path
        self._namespace = namespace
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Capture:
        """Start recording; returns when packets are being taken."""
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self._namespace}", "dumpcap", "-q", "-i", "any", "-w", str(self.path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if line.startswith("File:"):
                break
        else:
            raise AssertionError("dumpcap did not start: " + "".join(seen))
        self._process = process
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording and write what is left."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=60)

    def plaintext(self, keys: Path) -> bytes:
        """What was said, in both directions, in all TLS sessions whose keys were logged, a session after the other.

        Args:
            keys: key log in the NSS format, as Python's ssl module writes it (SSLKEYLOGFILE).
        """
        streams = self._tshark("-Y", "tls.app_data", "-T", "fields", "-e", "tcp.stream", keys=keys).split()
        follow = [word for number in sorted(set(streams), key=int) for word in ("-z", f"follow,tls,raw,{number}")]
        shown = self._tshark("-q", *follow, keys=keys)
        # the answers of the server are indented
        lines = (line.strip() for line in shown.splitlines())
        return b"".join(bytes.fromhex(line) for line in lines if _HEX.fullmatch(line))

    def _tshark(self, *arguments: str, keys: Path) -> str:
        return subprocess.run(
            ["tshark", "-r", str(self.path), "-o", f"tls.keylog_file:{keys}", *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        ).stdout


def encodings(sample: bytes) -> dict[str, bytes]:
    """The forms in which a sample might travel: name to bytes."""
    return {
        "raw": sample,
        "hex": sample.hex().encode(),
        **{f"base64 at offset {n}": base64.b64encode(sample[n:])[4:-4] for n in range(3)},
    }


def find(haystack: bytes, sample: bytes) -> list[str]:
    """Names of the forms of which a window of the sample occurs in the data, compressed streams in it included."""
    streams = [haystack, *_inflated(haystack)]
    return [
        name
        for name, form in encodings(sample).items()
        if any(window in stream for stream in streams for window in _windows(form))
    ]


def _windows(form: bytes) -> Iterable[bytes]:
    return (form[start : start + _WINDOW] for start in range(0, max(1, len(form) - _WINDOW + 1), 8))


def _inflated(data: bytes) -> list[bytes]:
    found = []
    for magic, bits in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15), (b"\x78\x01", 15), (b"\x78\xda", 15)):
        start = data.find(magic)
        while start >= 0:
            try:
                found.append(zlib.decompressobj(bits).decompress(data[start:]))
            except zlib.error:
                pass
            start = data.find(magic, start + 1)
    return [stream for stream in found if len(stream) >= _WINDOW]


def compressed(data: bytes) -> bytes:
    """The data as gzip, for the proof that the search looks into compressed streams."""
    return gzip.compress(data)

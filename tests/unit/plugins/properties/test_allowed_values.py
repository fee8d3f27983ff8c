# SPDX-License-Identifier: Apache-2.0
"""What a kind accepts, whatever it is given: no character that files, shells and terminals take for more than text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.kinds import Kind
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.named import KINDS

PARAMETERS: dict[str, dict[str, Any]] = {"words": {"allowed": ["one", "two"]}}
ALL = {name: make(**PARAMETERS.get(name, {})) for name, make in KINDS.items()}
# Free text: any visible characters, so that whatever writes it has to escape it. Every other kind is an alphabet.
FREE = {"line", "text", "secret", "scalar"}
PEM = {"pem_certificates", "pem_private_key"}
OTHER_SCRIPTS = {*FREE, "object_name", "path", "program", "command"}
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\ud800-\udfff]")
# Quotes, and what shells, systemd, nginx and Jinja expand. A requirement has quotes in its markers, and ~= and ;.
EXPANDED = re.compile(r"[\"'`$;\\|<>^]|\{|\}|&&|%[^0-9A-Fa-f]|%$")
UP = {"requirement": re.compile(r"[`$\\|^{}]")}
# Numbers, and what stands in quotes.
MAY_BEGIN_WITH_A_DASH = {*FREE, "integer", "number", "firewall_reason", "join_token", *PEM}
SEVERAL_LINES = {"text", "ssh_public_keys", *PEM}


@st.composite
def near(draw: st.DrawFn, kind: Kind) -> Any:
    """Valid values with some characters put in, taken out or exchanged, so that many are still valid."""
    text = str(draw(st.sampled_from(kind.examples)))
    for _unused in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(text)))
        text = text[:position] + draw(st.text(max_size=3)) + text[position + draw(st.integers(0, 2)) :]
    return text


def values(kind: Kind) -> st.SearchStrategy[Any]:
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text())
    )
    return st.one_of(near(kind), anything)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_accepted_is_plain(name: str, data: st.DataObject) -> None:
    kind = ALL[name]
    value = data.draw(values(kind))
    if not kind.accepts(value):
        return
    assert isinstance(value, (str, int, float))
    text = str(value)
    inner = re.sub(r"[\n\t]", "", text) if name in SEVERAL_LINES else text
    assert not FORBIDDEN.search(inner)
    assert len(text) <= 32768
    assert name in OTHER_SCRIPTS or text.isascii()
    assert name in FREE or not UP.get(name, EXPANDED).search(text)
    assert name in MAY_BEGIN_WITH_A_DASH or not text.startswith("-")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", ["\n", "\0", "\r", " \n", "\u2028", "\x1b[0m"])
def test_nothing_hides_at_the_end(name: str, end: str) -> None:
    if "\n" not in end or name not in SEVERAL_LINES:
        assert [example for example in ALL[name].examples if ALL[name].accepts(f"{example}{end}")] == []


def strange() -> Iterator[object]:
    yield from (
        None,
        object(),
        type,
        b"x",
        bytearray(b"x"),
        {1: 2},
        [[]],
        (),
        set(),
        1 << 20000,
        -1 << 20000,
        1e999,
        -1e999,
    )
    yield from (
        float("nan"),
        1j,
        True,
        "",
        "\ud800",
        "٣" * 3,
        "x" * 10**6,
        "[" * 10**5,
        "-",
        "1" * 5000,
        "1e400",
        "https://[",
    )


@pytest.mark.parametrize("name", ALL)
def test_kinds_judge_anything_without_raising(name: str) -> None:
    """Among these only the empty text and booleans are anything at all, and 1e400 is a word for some."""
    answers = [ALL[name].accepts(value) for value in strange()]
    assert set(answers) <= {True, False}
    assert not any(ALL[name].accepts(value) for value in (object(), {1: 2}, [[]], "x" * 10**6, 1 << 20000))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("address", ["::1", "10.0.0.1"], ["fe80::1%eth0", "10.0.0.256", "010.0.0.1", "1", "::1%\n", "10.0.0.1/8"]),
        ("address_or_name", ["a_b.c", "node-1"], ["-oProxyCommand=id", "1.2.3", "a b", "a/b", "::g", ""]),
        ("address_and_port", ["a:1", "[::1]:65535"], ["a:0", "a:65536", "::1:80", "[::g]:1", "a", "[127.0.0.1]:1"]),
        ("bind_address", ["0.0.0.0", "[::]"], ["::", "[0.0.0.0]", "localhost", "unix:/x"]),
        ("cidr", ["10.0.0.0/8", "::/0", "10.1.2.3/8"], ["10.0.0.0/33", "::/129", "10.0.0.0/255.0.0.0", "any", "/8"]),
        ("cidr4", ["0.0.0.0/0"], ["::/0", "10.0.0.0/33"]),
        ("cidr_or_any", ["any"], ["ANY", "any ", "anything"]),
        ("url", ["http://a", "https://a:1/?c=d#e"], ["ftp:a", "http:", "http://u:p@a", "http://a:99999", "http://a "]),
        ("url_with_user", ["http://u:p@a/"], ["http://u:p'@a", "javascript:x", "http://[::g]/", "http://u:p@"]),
        ("path", ["/a", "~/a", "./a", "a b"], ["-a", "$HOME/a", "/a;b", "/a\\b", "", "%h/a", "/{{ x }}"]),
        ("program", ["python3", "/usr/bin/python3"], ["python3 -m x", "-c", "/bin/sh;id", ""]),
        ("file_name", ["model.npz"], [".hidden", "../x", "a/b", "-x", ".."]),
        ("device", ["/dev/nvidia0", "char-*"], ["/etc/passwd", "/dev/../etc/passwd", "/dev/x rw", "char-%i"]),
        ("version", ["1.41.0", "2", "1.0rc1"], ["1.41.0+x", "v1", "1..0", "1.41.0;", "latest"]),
        (
            "requirement",
            ["a", "a==1", "a[b, c]>=1,<2", "a; python_version < '3.12'", "a~=1.0"],
            ["--index-url=http://x", "-r /etc/passwd", "a==1\n-r x", "./a", "a @ file:///etc/passwd", "git+https://a/b"],
        ),
        ("debian_package", ["nginx", "libc6:amd64"], ["nginx=1 -o x", "-y", "./x.deb", "nginx-", "n*"]),
        ("ssh_public_key", [], ["id_ed25519", "ssh-dss AAAA", 'command="id" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA']),
        ("integer", [0, "-1", "007"], ["1\n", " 1", "1_000", "٣", "0x10", 1.0, "1.0", "", True]),
        ("port", [1, "65535"], [0, 65536, "443 ", -1]),
        ("number", ["1e3", 0.5, "-2"], ["nan", "inf", "1e999x", "1,5", float("inf"), float("nan"), True]),
        ("boolean", [True, "yes", 0, "False"], ["yes\n", "maybe", 2, None, 1.0]),
        ("size", ["64m", 1000], ["64mb", "-1m", "64 m", "64m;"]),
        ("mac", [], ["02:00:c0:00:02", "02-00-c0-00-02-01"]),
        ("config_key", ["a-b"], ["", "-a", "a b", "a=b"]),
        ("environment_name", ["A_1"], ["1A", "A B", "A=B", ""]),
    ],
)  # fmt: skip
def test_kinds(name: str, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if not ALL[name].accepts(value)] == []
    assert [value for value in bad if ALL[name].accepts(value)] == []


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.from_regex(r"[0-9a-fA-F:./]{1,24}", fullmatch=True))
def test_networks_are_those_of_the_standard_library(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        expected = False
    else:
        expected = re.search(r"/[0-9]+\.", text) is None
    assert ALL["cidr"].accepts(text) == expected

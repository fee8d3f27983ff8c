# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The variables of a context: every one of them wrong in every way that its type allows, and right."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from nasty import NASTY

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles import rules_of
from fact8ra_appliance.table import KINDS, PREFIX, Entry, table
from fact8ra_appliance.values import Validated, validate

CASES = [(name, kind) for name, entry in table().items() for kind in entry.becomes]
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\u200b\ud800-\udfff]")
TOKEN = "Zm9vYmFyYmF6cXV4-_.~0123"
FINGERPRINT = ":".join(["A9"] * 32)
# What no text of the type can be.
WRONG = {
    "int": ["x", "1.5", "1e3", "0x10", " 1", "1 ", "1\n", "+1", "--1", "٣", "9" * 19, "9" * 5000, "nan", "none", "[1]"],
    "float": ["x", "nan", "inf", "-inf", "1,5", " 0.5", "0.5\n", "0x1p3", "٣", "1e999", "9" * 5000, "[]"],
    "bool": ["x", "1", "0", "y", "YES\n", " YES", "YESNO", "null", "[]"],
    "list": [",", " ", " , ,", "\x00", "a;b", "$(id)", "{{ x }}", "'", "\n\n"],
    "dict": [",", "x", "=x", "a=1 a=2", "a=1 b", "a b=1", "\x00=1", "a\x00=1", "a=\x1b[2J", "é=1\u202e"],
    "text64": [
        "x",
        "!!!!",
        "AAA",
        "=",
        "-----BEGIN CERTIFICATE-----",
        base64.b64encode(b"\xff\xfe").decode(),
        "AAAA\x00",
    ],
}


def encoded(text: str) -> str:
    """As OpenNebula's forms send an input of the type text64."""
    return base64.b64encode(text.encode(errors="surrogatepass")).decode()


def texts(entry: Entry, kind: str) -> list[str]:
    """The valid examples of a variable, as a tenant writes them."""
    role, option = entry.becomes[kind]
    found = []
    for example in rules_of(role)[option].examples:
        if entry.type == "list":
            found.append(" ".join(map(str, example)))
        elif entry.type == "dict":
            # Keys and values of a configuration may have spaces, which the context has no way to write.
            found = ["key=plain b.c=0.5 d=true", "partition-id=0"]
        elif entry.type == "bool":
            found.append("YES" if example in (True, "yes") else "NO")
        else:
            found.append(encoded(example) if entry.input == "text64" else str(example))
    # An empty one is not given.
    return [text for text in found if text]


def wrong(entry: Entry, kind: str) -> Iterator[tuple[str, str]]:
    """Texts that are wrong for a variable, each with the secret part that no message may show."""
    for text in WRONG["text64"] if entry.input == "text64" else WRONG.get(entry.type, []):
        yield text, text
    if entry.input in ("list", "range", "range-float"):
        yield from ((text, text) for text in ("nonsense", "-1", f"{entry.default}\n", f"{entry.default},x", "1e9"))
    for example in texts(entry, kind):
        plain = base64.b64decode(example).decode() if entry.input == "text64" else example
        for bad in NASTY.values():
            for text in (f"{bad}{plain}", f"{plain}{bad}", f"{plain[:1]}{bad}{plain[1:]}"):
                yield (encoded(text), text) if entry.input == "text64" else (text, text)


def judged(name: str, text: str, kind: str) -> Validated:
    """What is said of one variable; an address needs a token beside it."""
    return validate({f"{PREFIX}JOIN_TOKEN": TOKEN, name: text}, kind)


def own(found: Validated, name: str) -> list[str]:
    """What is said of a variable itself."""
    return [problem.message for problem in found.problems if problem.variable == name]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_wrong_value_is_named_and_what_is_taken_is_a_plain_value(name: str, kind: str) -> None:
    entry, refused = table()[name], 0
    for text, shown in wrong(entry, kind):
        found = judged(name, text, kind)
        for message in own(found, name):
            assert re.fullmatch("[ -~]{10,700}", message), (text, message)
            assert name in message, message
            if entry.secret:
                assert len(shown) < 4 or shown not in message
        if own(found, name):
            refused += 1
            continue
        # JSON is what the roles are given.
        value = found.variables[entry.becomes[kind][1]]
        assert json.loads(json.dumps(value)) == value
        if entry.input == "text64":
            assert re.fullmatch(r"[A-Za-z0-9+/=\n -]+", value), text
        else:
            assert not CONTROL.search(json.dumps(value, ensure_ascii=False)), text
    assert refused > len(WRONG.get(entry.type, [])), "nothing was wrong"


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_texts_that_can_be_no_value_are_refused(name: str, kind: str) -> None:
    entry = table()[name]
    for text in WRONG["text64"] if entry.input == "text64" else WRONG.get(entry.type, ["\x00", "\n", "\u202e"]):
        assert own(judged(name, text, kind), name), ascii(text)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_right_value_becomes_the_roles_variable_with_its_type(name: str, kind: str) -> None:
    entry = table()[name]
    python = {"int": int, "float": float, "bool": bool, "list": list, "dict": dict, "str": str}[entry.type]
    for text in texts(entry, kind):
        found = judged(name, text, kind)
        assert own(found, name) == []
        value = found.variables[entry.becomes[kind][1]]
        # True is an int as well.
        assert isinstance(value, python)
        assert isinstance(value, bool) == (python is bool)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_wrong_is_said_in_one_go(kind: str) -> None:
    of_kind = {name: next(wrong(entry, kind))[0] for name, entry in table().items() if kind in entry.becomes}
    context = {name: text if own(judged(name, text, kind), name) else "\0" for name, text in of_kind.items()}
    found = validate(context | {f"{PREFIX}FLEET_PROT": "1"}, kind)
    assert {problem.variable for problem in found.problems} == {*of_kind, f"{PREFIX}FLEET_PROT"}
    assert len({problem.message for problem in found.problems}) == len(found.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_texts_are_not_given(kind: str) -> None:
    empty = validate(dict.fromkeys(table(), ""), kind)
    assert (empty.problems, empty.notes) == ([], [])
    assert empty == validate({}, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_that_nobody_touched_is_right_and_says_nothing_new(kind: str) -> None:
    defaults = {name: entry.default for name, entry in table().items() if kind in entry.becomes}
    found = validate(defaults, kind)
    assert (found.problems, found.notes) == ([], [])
    assert validate({}, kind).variables.items() <= found.variables.items()


def test_names_that_are_not_ours_are_left_alone() -> None:
    assert (
        validate({"ONEAPP_OTHER": "x", "TOKEN": "YES", "ETH0_IP": "\x00", "FLEET_PORT": "x"}, "superlink").problems
        == []
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FLEET_PROT", "FLEET_PORT"),
        ("FINGERPRINT", "SUPERLINK_FINGERPRINT"),
        ("fleet_port", "FLEET_PORT"),
        ("NODECONFIG", "NODE_CONFIG"),
        ("ADMIN_SOURCE", "ADMIN_SOURCES"),
    ],
)
def test_an_unknown_name_comes_with_the_nearest_known_one(name: str, nearest: str) -> None:
    kind = "supernode" if "NODE" in nearest or "PRINT" in nearest else "superlink"
    [problem] = validate({PREFIX + name: "secret-value"}, kind).problems
    assert problem.variable == PREFIX + name
    assert problem.message == f"{PREFIX}{name} is no variable of this appliance; did you mean {PREFIX}{nearest}?"


def test_a_name_that_acts_on_a_terminal_is_shown_as_text() -> None:
    [problem] = validate({f"{PREFIX}\x1b[2J\n": "x"}, "superlink").problems
    assert re.fullmatch("[ -~]+", problem.message)


def test_a_variable_of_the_other_kind_is_a_note_and_never_shown() -> None:
    found = validate({f"{PREFIX}TLS_KEY": "hunter2", f"{PREFIX}GPUS": "x"}, "superlink")
    assert [note for note in found.notes if "GPUS" in note]
    assert "nvidia_guest_gpus" not in found.variables
    found = validate({f"{PREFIX}TLS_KEY": "hunter2"}, "supernode")
    assert found.problems == []
    assert [f"{PREFIX}TLS_KEY" in note for note in found.notes] == [True]
    assert "hunter2" not in repr(found)


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="kind is 'router'; it must be one of superlink, supernode"):
        validate({}, "router")


@pytest.mark.parametrize(
    ("kind", "given", "variable", "right"),
    [
        ("superlink", {"FLEET_PORT": "22"}, "FLEET_PORT", "another port, since the VM has SSH there"),
        ("superlink", {"FLEET_PORT": "8000"}, "FLEET_PORT", "another port"),
        ("supernode", {"SUPERLINK_ADDRESS": "192.0.2.1"}, "SUPERLINK_ADDRESS", "SUPERLINK_FINGERPRINT or "),
        ("supernode", {"SUPERLINK_ADDRESS": "a.eu", "TRUST": "first"}, "SUPERLINK_ADDRESS", "must be given with it"),
        ("supernode", {"TRUST": "fingerprint"}, "SUPERLINK_FINGERPRINT", "since ONEAPP_FLOWER_TRUST is fingerprint"),
        ("supernode", {"TRUST": "fingerprint", "JOIN_TOKEN": TOKEN}, "SUPERLINK_FINGERPRINT", "must be given"),
        ("supernode", {"TRUST": "token"}, "JOIN_TOKEN", "since ONEAPP_FLOWER_TRUST is token"),
        ("supernode", {"GPUS": "2", "GPU_VISIBLE_DEVICES": "0,2"}, "GPU_VISIBLE_DEVICES", "indices from 0 to 1"),
        ("supernode", {"GPUS": "0", "GPU_VISIBLE_DEVICES": "0"}, "GPU_VISIBLE_DEVICES", "must be empty"),
    ],
)
def test_variables_that_do_not_go_together(kind: str, given: dict[str, str], variable: str, right: str) -> None:
    [problem] = validate({PREFIX + name: text for name, text in given.items()}, kind).problems
    assert problem.variable == PREFIX + variable
    assert right in problem.message
    assert TOKEN not in problem.message


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("superlink", {"FLEET_PORT": "443"}),
        ("supernode", {"SUPERLINK_ADDRESS": "192.0.2.1:443", "SUPERLINK_FINGERPRINT": FINGERPRINT}),
        ("supernode", {"SUPERLINK_ADDRESS": "[2001:db8::1]:8443", "JOIN_TOKEN": TOKEN}),
        ("supernode", {"SUPERLINK_ADDRESS": "2001:db8::1", "JOIN_TOKEN": TOKEN, "TRUST": "token"}),
        ("supernode", {"TRUST": "fingerprint", "SUPERLINK_FINGERPRINT": FINGERPRINT.replace(":", "").lower()}),
        ("supernode", {"GPUS": "2", "GPU_VISIBLE_DEVICES": "0,1"}),
        ("supernode", {"GPU_VISIBLE_DEVICES": "5"}),
        ("supernode", {"TRUST": "first"}),
        # A fingerprint counts whatever else decides (trust.judge).
        ("supernode", {"TRUST": "first", "SUPERLINK_FINGERPRINT": FINGERPRINT}),
        ("supernode", {"TRUST": "token", "JOIN_TOKEN": TOKEN, "SUPERLINK_FINGERPRINT": FINGERPRINT}),
    ],
)
def test_variables_that_go_together(kind: str, given: dict[str, str]) -> None:
    assert validate({PREFIX + name: text for name, text in given.items()}, kind).problems == []


TLS = {
    "TLS_CERTIFICATE": encoded("-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"),
    "TLS_KEY": encoded("-----BEGIN PRIVATE KEY-----\r\nc2VjcmV0\r\n-----END PRIVATE KEY-----\r\n"),
    "TLS_TRUST": encoded("-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----"),
}


@pytest.mark.parametrize(
    "present", [{"TLS_CERTIFICATE"}, {"TLS_KEY"}, {"TLS_TRUST"}, {"TLS_KEY", "TLS_TRUST"}, set(TLS)]
)
def test_all_three_files_of_a_certificate_or_none(present: set[str]) -> None:
    found = validate({PREFIX + name: TLS[name] for name in present}, "superlink")
    assert {problem.variable.removeprefix(PREFIX) for problem in found.problems} == set(TLS) - present
    assert "c2VjcmV0" not in repr(found.problems)
    if present == set(TLS):
        assert (
            found.variables["appliance_tls_key"] == "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
        )


def test_a_key_that_a_passphrase_protects_is_refused_without_being_shown() -> None:
    pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n"
    found = validate({PREFIX + name: text for name, text in (TLS | {"TLS_KEY": encoded(pem)}).items()}, "superlink")
    [problem] = found.problems
    assert problem.variable == f"{PREFIX}TLS_KEY"
    assert "no passphrase" in problem.message
    assert "c2VjcmV0" not in problem.message


@pytest.mark.parametrize(("flavour", "refused"), [("base", 1), ("pytorch", 1), ("sklearn", 0), ("edge", 0), ("", 0)])
def test_the_digits_need_an_image_with_scikit_learn(flavour: str, refused: int) -> None:
    found = validate({f"{PREFIX}DATA": "poc"}, "supernode", flavour)
    assert len(found.problems) == refused
    assert all("flower-supernode-sklearn" in problem.message for problem in found.problems)


def test_what_may_not_be_meant_is_a_note() -> None:
    found = validate({f"{PREFIX}ADMIN_SOURCES": "any"}, "superlink")
    assert found.problems == []
    assert "every address" in found.notes[0]
    found = validate({f"{PREFIX}SUPERLINK_ADDRESS": "a.eu", f"{PREFIX}SUPERLINK_FINGERPRINT": FINGERPRINT}, "supernode")
    assert found.problems == []
    assert "JOIN_TOKEN is not given" in found.notes[0]


def test_the_configuration_of_apps_has_types() -> None:
    text = "a=1 b=0.5,c=true d=x=y\te=FALSE f= g=1e3 h=0x1"
    value: Any = validate({f"{PREFIX}NODE_CONFIG": text}, "supernode").variables["supernode_node_config"]
    assert value == {"a": 1, "b": 0.5, "c": True, "d": "x=y", "e": False, "f": "", "g": 1000.0, "h": "0x1"}
    assert [type(value[key]) for key in "abcd"] == [int, float, bool, str]


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_role_has_a_default_for_is_there_with_nothing_given(kind: str) -> None:
    found = validate({}, kind).variables
    assert found["federation_name"] == "flower"
    assert found["appliance_log_level"] == "INFO"
    assert {name for name in found if not name.startswith("appliance_")} == {"federation_name"}

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the connection options come from, and which comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fact8ra.flower.plugins.doc_fragments._opennebula import ModuleDocFragment
from ansible_collections.fact8ra.flower.plugins.module_utils import _errors
from ansible_collections.fact8ra.flower.plugins.module_utils._connection import ENVIRONMENT, INSECURE, resolved
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

BOTH = {"username": "alice", "password": "of-option"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an environment without OpenNebula."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*(each for names in ENVIRONMENT.values() for each in names), INSECURE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _file(directory: Path, text: str = "bob:of-file\n", name: str = "auth") -> str:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def _credentials(params: dict[str, Any], environ: dict[str, str] | None = None) -> tuple[str, str]:
    found = resolved(params, environ)
    return found["username"], found["password"]


@pytest.mark.parametrize("option", ["endpoint", "flow_endpoint"])
def test_an_endpoint_is_the_option_or_else_the_first_variable_that_is_set(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolved(BOTH)[option] is None
    for name in reversed(ENVIRONMENT[option]):
        monkeypatch.setenv(name, f"http://{name.lower()}")
        assert resolved(BOTH)[option] == f"http://{name.lower()}"
    assert resolved({**BOTH, option: "http://given"})[option] == "http://given"
    monkeypatch.setenv(ENVIRONMENT[option][0], "")
    assert resolved(BOTH)[option] == f"http://{ENVIRONMENT[option][1].lower()}"


def test_credentials_come_from_the_first_place_that_has_them(home: Path) -> None:
    default = _file(home, "bob:of-default\n", ".one/one_auth")
    environ: dict[str, str] = {}
    assert _credentials({}, environ) == ("bob", "of-default")
    environ["ONE_AUTH"] = _file(home, "bob:of-ONE_AUTH\n", "one-auth")
    assert _credentials({}, environ) == ("bob", "of-ONE_AUTH")
    environ.update(OPENNEBULA_USERNAME="carol", OPENNEBULA_PASSWORD="of-second")
    assert _credentials({}, environ) == ("carol", "of-second")
    environ.update(ONE_USERNAME="dave", ONE_PASSWORD="of-first")
    assert _credentials({}, environ) == ("dave", "of-first")
    assert _credentials({"auth_file": default}, environ) == ("bob", "of-default")
    assert _credentials({"auth_file": default, **BOTH}, environ) == ("alice", "of-option")
    assert _credentials({"password": "of-option"}, environ) == ("dave", "of-option")
    assert _credentials({"auth_file": default, "password": "of-option"}, environ) == ("bob", "of-option")


def test_no_file_is_read_when_name_and_password_are_known() -> None:
    assert _credentials({**BOTH, "auth_file": "/does/not/exist"}, {"ONE_AUTH": "/neither"}) == ("alice", "of-option")
    environ = {"ONE_USERNAME": "dave", "ONE_PASSWORD": "of-first", "ONE_AUTH": "/neither"}
    assert _credentials({}, environ) == ("dave", "of-first")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bob:pass", ("bob", "pass")),
        ("bob:pass\n", ("bob", "pass")),
        ("bob:pass\r\n\n", ("bob", "pass")),
        ("bob:p:a:s:s:\n", ("bob", "p:a:s:s:")),
        ("bob:pa ss:ü\n", ("bob", "pa ss:ü")),
    ],
)
def test_the_password_of_a_file_may_have_colons_and_its_line_an_end(
    home: Path, text: str, expected: tuple[str, str]
) -> None:
    assert _credentials({"auth_file": _file(home, text)}) == expected
    assert _credentials({"auth_file": "~/auth"}) == expected


@pytest.mark.parametrize("text", ["", "bob", "bob:", ":secret-word", "bob:secret-word\ncarol:secret-word\n"])
@pytest.mark.parametrize("by_option", [True, False])
def test_a_file_without_credentials_is_named_and_not_quoted(home: Path, text: str, by_option: bool) -> None:
    path = _file(home, text)
    params, environ = ({"auth_file": path}, {}) if by_option else ({}, {"ONE_AUTH": path})
    origin = "auth_file" if by_option else "ONE_AUTH"
    with pytest.raises(InvalidInput, match=rf"The file '{path}' \({origin}\) .*one line, USER:PASSWORD") as caught:
        resolved(params, environ)
    assert "secret-word" not in str(caught.value)
    assert caught.value.details == {"option": "auth_file"}


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    with pytest.raises(InvalidInput, match=r"The file '/does/not/exist' \(ONE_AUTH\) .*No such file"):
        resolved({}, {"ONE_AUTH": "/does/not/exist"})
    with pytest.raises(InvalidInput, match="Is a directory"):
        resolved({"auth_file": str(home)})
    (home / "binary").write_bytes(b"bob:\xff\n")
    with pytest.raises(InvalidInput, match="has to be one line"):
        resolved({"auth_file": str(home / "binary")})


def test_a_file_of_another_user_is_not_used(home: Path) -> None:
    path = _file(home)
    with pytest.raises(InvalidInput, match=r"password of user 'alice' is missing, '.*auth' has that of 'bob'"):
        resolved({"username": "alice", "auth_file": path})
    assert _credentials({"username": "bob", "auth_file": path}) == ("bob", "of-file")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "^username is missing; give it, set ONE_USERNAME or OPENNEBULA_USERNAME, or .*auth_file or ONE_AUTH"),
        ({"username": "alice"}, "^password is missing; give it, set ONE_PASSWORD or OPENNEBULA_PASSWORD"),
        ({"username": "alice", "password": ""}, "^password is empty"),
        ({"username": "", "password": "x"}, "^username is empty"),
        ({"username": "a:b", "password": "x"}, "username is 'a:b'; OpenNebula takes what follows the first colon"),
    ],
)
def test_missing_and_unusable_credentials_are_named(params: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        resolved(params)


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [
        (None, None, True),
        (None, "", True),
        (None, "0", True),
        (None, "false", True),
        (None, "1", False),
        (None, "True", False),
        (True, "1", True),
        (False, None, False),
    ],
)
def test_certificates_are_verified_unless_told_otherwise(
    given: bool | None, variable: str | None, expected: bool
) -> None:
    environ = {} if variable is None else {INSECURE: variable}
    assert resolved({**BOTH, "validate_certs": given}, environ)["validate_certs"] is expected


def test_a_word_that_is_no_boolean_does_not_switch_anything_off() -> None:
    with pytest.raises(InvalidInput, match="OPENNEBULA_INSECURE is 'perhaps'; it has to be true or false"):
        resolved(BOTH, {INSECURE: "perhaps"})


def test_all_that_a_target_needs_is_there_and_resolving_twice_changes_nothing() -> None:
    found = resolved({**BOTH, "endpoint": "http://one", "name": "not of the connection"})
    assert found == {
        **BOTH,
        "endpoint": "http://one",
        "flow_endpoint": None,
        "validate_certs": True,
        "ca_path": None,
        "connect_timeout": 10.0,
        "read_timeout": 60.0,
    }
    assert resolved(found) == found


def test_every_variable_is_documented() -> None:
    options = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    for option, names in {**ENVIRONMENT, "validate_certs": (INSECURE,)}.items():
        text = " ".join(options[option]["description"])
        positions = [text.index(f"E({name})") for name in names]
        assert positions == sorted(positions), "in the order in which they count"


def test_the_guide_names_every_variable_and_every_code() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "modules.md").read_text(encoding="utf-8")
    for name in (*(each for names in ENVIRONMENT.values() for each in names), INSECURE):
        assert f"`{name}`" in guide
    for each in [each for each in vars(_errors).values() if isinstance(each, type)]:
        if issubclass(each, _errors.OpenNebulaError) and each is not _errors.OpenNebulaError:
            assert f"| `{each.code}` |" in guide
    for key in _errors.OpenNebulaError("").as_failure():
        assert f"`{key}`" in guide

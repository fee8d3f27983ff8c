# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of the context's variables: what is made from it is what lies there, and what it says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import context_docs
import context_table
import pytest

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles import options_of
from fact8ra_appliance.table import KINDS, PREFIX, Entry, standard, table
from fact8ra_appliance.values import validate

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "contextualization.md"
RAW = {"becomes": "superlink.superlink_fleet_port", "kinds": ["superlink"], "ask": "role", "input": "number"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with everything that is made."""
    assert context_table.main([], tmp_path) == 0
    return tmp_path


def test_what_lies_there_is_what_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert context_table.main(["--check"]) == 0, capsys.readouterr().err


def test_a_file_that_differs_or_lacks_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert context_table.main(["--check"], copy) == 0
    made = sorted(path for path in copy.rglob("*") if path.is_file())
    assert [path.name for path in made] == [
        "contextualization.md",
        "table.json",
        *sorted(path.name for path in (ROOT / "roles" / "appliance" / "files" / "templates").iterdir()),
    ]
    for path in made:
        before = path.read_text()
        path.write_text(before + " ")
        assert context_table.main(["--check"], copy) == 1
        assert str(path.relative_to(copy)) in capsys.readouterr().err
        path.unlink()
        assert context_table.main(["--check"], copy) == 1
        path.write_text(before)
    assert context_table.main(["--check"], copy) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"becomes": "superlink.superlink_port"}, "role superlink has no option superlink_port"),
        ({"becomes": "nothing.at_all"}, "there is no role nothing"),
        ({"input": "int"}, "input is int; it must be one of text"),
        ({"ask": "role|vm"}, "ask is role|vm; it must be service, role or vm"),
        ({"form": "Port | or not"}, "the text of the form is 'Port | or not'"),
        ({"form": 'a "quoted" word'}, "the text of the form is"),
        ({"form": "a $VARIABLE"}, "the text of the form is"),
        ({"becomes": "nvidia_guest.nvidia_guest_gpus"}, "an input of the type number needs a default"),
        ({"becomes": "federation_name"}, "becomes is federation_name; it must be role.option"),
    ],
)
def test_a_table_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(context_table.TableError, match=re.escape(message)):
        context_table.entry_of("X", RAW | change)


def test_type_default_and_secrecy_are_those_of_the_role() -> None:
    assert context_table.entry_of("X", RAW) == {
        "becomes": {"superlink": ["superlink", "superlink_fleet_port"]},
        "ask": "role",
        "type": "int",
        "input": "number",
        "form": "Port at which SuperNodes reach the Fleet API",
        "options": " ",
        "default": "8443",
        "initial": None,
        "unit": "",
        "secret": False,
    }


def test_a_page_without_marks() -> None:
    with pytest.raises(context_docs.PageError, match="the marks"):
        context_docs.page("nothing", {}, lambda _role, _option: "")


@pytest.mark.parametrize("entry", table().values(), ids=lambda entry: entry.name)
def test_a_variable_is_what_the_role_says(entry: Entry) -> None:
    assert entry.becomes
    assert set(entry.becomes) <= set(KINDS)
    for kind, (role, option) in entry.becomes.items():
        spec = options_of(role)[option]
        assert entry.type == spec.get("type", "str")
        assert entry.secret == bool(spec.get("no_log"))
        assert entry.input in ("password", "text64") or not entry.secret
        # The form offers what is right, and all of it.
        if entry.input == "list":
            assert entry.options.split(",") == spec["choices"]
        if entry.input.startswith("range"):
            for bound in entry.options.split(".."):
                assert validate({entry.name: bound}, kind).problems == []
        assert validate({entry.name: entry.default}, kind).problems == []


@pytest.mark.parametrize("entry", table().values(), ids=lambda entry: entry.name)
def test_a_key_is_never_handed_to_vms_that_have_no_use_for_it(entry: Entry) -> None:
    """What a service asks once reaches the context of every VM."""
    assert entry.ask != "service" or set(entry.becomes) == set(KINDS)


@pytest.mark.parametrize("entry", table().values(), ids=lambda entry: entry.name)
def test_the_user_input_has_five_parts_that_opennebula_reads(entry: Entry) -> None:
    """As OpenNebulaHelper.parse_user_inputs of OpenNebula's command line wants them, when Enter answers everything."""
    parts = entry.user_input.split("|")
    assert len(parts) == 5
    mandatory, kind, description, options, default = parts
    assert mandatory == "O"
    assert 3 <= len(description) <= 140
    if kind == "boolean":
        assert default in ("YES", "NO")
    elif kind == "number":
        assert re.fullmatch(r"-?\d+", default)
    elif kind.startswith("range"):
        least, greatest = map(float, options.split(".."))
        assert least <= float(default) <= greatest
        assert kind == "range-float" or re.fullmatch(r"-?\d+", default)
    elif kind == "list":
        assert default in options.split(",")
    else:
        assert kind in ("text", "text64", "password")
        assert options == " "


def test_nobody_says_ready_in_our_place() -> None:
    assert "REPORT_READY" not in standard()
    assert standard()["TOKEN"] == standard()["NETWORK"] == "YES"
    assert standard()["SSH_PUBLIC_KEY"] == "$USER[SSH_PUBLIC_KEY]"


def test_every_variable_has_our_prefix_and_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in table():
        assert name.startswith(PREFIX)
        assert f"\n| `{name.removeprefix(PREFIX)}` | " in page


# Those of the specification that the appliances go back to, without five that belong to OpenNebula.
EARLIER = re.findall(
    r"\w+",
    """
    FLOWER_VERSION FL_NUM_ROUNDS FL_STRATEGY FL_MIN_FIT_CLIENTS FL_MIN_EVALUATE_CLIENTS
    FL_MIN_AVAILABLE_CLIENTS FL_FLEET_API_ADDRESS FL_CONTROL_API_ADDRESS FL_ISOLATION FL_DATABASE FL_LOG_LEVEL
    FL_PROXIMAL_MU FL_SERVER_LR FL_CLIENT_LR FL_NUM_MALICIOUS FL_TRIM_BETA FL_CHECKPOINT_ENABLED
    FL_CHECKPOINT_INTERVAL FL_CHECKPOINT_PATH FL_GRPC_KEEPALIVE_TIME FL_GRPC_KEEPALIVE_TIMEOUT
    FL_CERT_EXTRA_SAN FL_METRICS_ENABLED FL_METRICS_PORT FL_SUPERLINK_ADDRESS FL_NODE_CONFIG FL_MAX_RETRIES
    FL_MAX_WAIT_TIME FL_GPU_ENABLED FL_CUDA_VISIBLE_DEVICES FL_GPU_MEMORY_FRACTION FL_DCGM_ENABLED
    FL_EDGE_BACKOFF FL_EDGE_MAX_BACKOFF ML_FRAMEWORK FL_USE_CASE FL_TLS_ENABLED FL_SSL_CA_CERTFILE
    FL_SSL_CERTFILE FL_SSL_KEYFILE FL_LOG_FORMAT
    """,
)
WHAT_BECAME = re.compile(
    r"^\| `((?:FLOWER|FL|ML)_[A-Z_]+)` \| (kept|renamed|replaced|dropped) \|([^|]*)\| ([^|]{10,}) \|$", re.MULTILINE
)


def test_the_page_says_what_became_of_each_of_the_41_earlier_variables() -> None:
    assert len(EARLIER) == 41
    rows = WHAT_BECAME.findall(PAGE.read_text(encoding="utf-8"))
    assert sorted(row[0] for row in rows) == sorted(EARLIER)
    short = {name.removeprefix(PREFIX) for name in table()}
    for earlier, fate, now, _reason in rows:
        named = set(re.findall(r"`([A-Z_]+)`", now))
        assert named <= short, f"{earlier}: {now} is no variable"
        assert bool(named) or fate in ("dropped", "replaced"), earlier
        assert not named or fate != "dropped", earlier

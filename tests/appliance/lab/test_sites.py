# SPDX-License-Identifier: Apache-2.0
"""SuperNodes of another site, and of another OpenNebula, join with address, fingerprint and token in their context."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from appliance_lab import SITE, Service, Tenant, printed, until

pytestmark = [pytest.mark.lab, pytest.mark.root]

TOKEN = "a-token.of~the_tests-0123456789"
ADDRESS, FINGERPRINT = "ONEAPP_FLOWER_SUPERLINK_ADDRESS", "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"
JOIN_TOKEN = "ONEAPP_FLOWER_JOIN_TOKEN"


@pytest.fixture(scope="module")
def federation(here: Tenant, there: Tenant, kept: Callable[[Service], Service]) -> Service:
    """A federation that others may join: with a token, and from the other site's network."""
    sources = f"10.71.{here.number}.0/24 10.71.{there.number}.0/24"
    made = kept(here.instantiate(inputs={JOIN_TOKEN: TOKEN}, superlink={"ONEAPP_FLOWER_FLEET_SOURCES": sources}))
    made.until_online(2)
    return made


@pytest.fixture(scope="module")
def inputs(federation: Service) -> dict[str, str]:
    """What the tenant copies from the SuperLink's VM."""
    said = federation.superlink.attributes
    return {ADDRESS: said["FLOWER_ADDRESS"], FINGERPRINT: said["FLOWER_FINGERPRINT"], JOIN_TOKEN: TOKEN}


def test_a_node_of_another_site_joins(
    there: Tenant, inputs: dict[str, str], deleted: Callable[[Service], Service]
) -> None:
    joined = deleted(there.instantiate(SITE, inputs))
    printed("a node of another site, from instantiate", [("online", joined.until_online(1))])
    joined.until("RUNNING")
    assert "given in the context" in joined.supernodes[0].attributes["FLOWER_MESSAGE"]


def test_the_token_alone_proves_the_superlink(
    there: Tenant, inputs: dict[str, str], deleted: Callable[[Service], Service]
) -> None:
    joined = deleted(there.instantiate(SITE, inputs | {FINGERPRINT: ""}))
    joined.until_online(1)
    assert "proven by the join token" in joined.supernodes[0].attributes["FLOWER_MESSAGE"]


REFUSED = {
    "fingerprint": ({FINGERPRINT: ":".join(["AB"] * 32)}, "TRUST_REFUSED", FINGERPRINT),
    "token": ({JOIN_TOKEN: "another-token.of~the_tests-0123"}, "JOIN_REFUSED", JOIN_TOKEN),
    "token without a fingerprint": (
        {JOIN_TOKEN: "another-token.of~the_tests-0123", FINGERPRINT: ""},
        "JOIN_REFUSED",
        JOIN_TOKEN,
    ),
    "neither": ({JOIN_TOKEN: "", FINGERPRINT: ""}, "CONTEXT_INVALID", FINGERPRINT),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_wrong_one_is_refused_and_says_why(
    case: str, there: Tenant, federation: Service, inputs: dict[str, str], deleted: Callable[[Service], Service]
) -> None:
    wrong, state, variable = REFUSED[case]
    stranger = deleted(there.instantiate(SITE, inputs | wrong))
    until(lambda: bool(stranger.supernodes), "the VM is made", stranger.told)
    said = stranger.supernodes[0].until(state)
    assert variable in said["FLOWER_PROBLEMS"] + said["FLOWER_MESSAGE"]
    shown = str({name: value for name, value in said.items() if name.startswith("FLOWER_")})
    assert not [token for token in (TOKEN, wrong.get(JOIN_TOKEN)) if token and token in shown]
    assert said.get("READY") != "YES"
    assert stranger.state == "DEPLOYING"
    assert [vm.says for vm in federation.supernodes] == ["ONLINE"] * 2

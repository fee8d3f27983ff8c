# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a SuperLink says of itself: only what is true, all of it in one attribute, and one authority."""

from __future__ import annotations

from pathlib import Path

import joining
import pytest

from fact8ra_appliance import publish
from fact8ra_appliance.discovery import find
from fact8ra_appliance.offer import ATTRIBUTE, shown
from fact8ra_appliance.trouble import Trouble


def _offer(link: joining.SuperLink, **changes: object) -> publish.Offer:
    made = link.authority
    parts = {"address": "127.0.0.1", "port": link.port, "trust": made.trust, "certificate": made.certificate}
    return publish.offer(**{**parts, "join": "onegate", **changes})  # type: ignore[arg-type]


def test_what_is_published_is_what_supernodes_find(tmp_path: Path) -> None:
    gate = joining.service(11)
    with joining.superlink(tmp_path, gate=gate) as link:
        publish.publish(gate, _offer(link))
    attributes = gate.roles["superlink"][0].attributes
    assert list(attributes) == ["FLOWER_ADDRESS", "FLOWER_FINGERPRINT", ATTRIBUTE]
    assert attributes["FLOWER_FINGERPRINT"] == shown(link.authority.fingerprint)
    found = find("", gate.of(11))
    assert (found.port, found.offer.ca if found.offer else "") == (link.port, link.authority.ca)


def test_by_another_name_it_asks_the_way_in_of_its_own_host(tmp_path: Path) -> None:
    made = joining.authority(tmp_path, sans=("DNS:link.example.eu", "IP:203.0.113.9"))
    gate = joining.service(11)
    with joining.superlink(tmp_path, gate=gate, made=made) as link:
        for address in ("link.example.eu", "203.0.113.9"):
            publish.publish(gate, _offer(link, address=address))
        assert gate.roles["superlink"][0].attributes["FLOWER_ADDRESS"] == f"203.0.113.9:{link.port}"
        with pytest.raises(Trouble, match="does not answer a SuperNode"):
            publish.publish(gate, _offer(link, address="198.51.100.1"))


def test_nothing_is_published_before_it_answers_or_when_another_does(tmp_path: Path) -> None:
    gate = joining.service(11)
    other = joining.authority(tmp_path, "other")
    with joining.superlink(tmp_path, gate=gate) as link:
        offer = _offer(link)
        for answer in ((502, {}), (200, {}), (200, {"ca": other.ca}), (404, {"ca": link.authority.ca})):
            link.says = lambda _path, _body, answer=answer: answer
            with pytest.raises(Trouble) as caught:
                publish.publish(gate, offer)
            assert (caught.value.state, caught.value.again) == ("CONFIGURE_FAILED", True)
        wrong = _offer(link, trust=other.trust, certificate=other.certificate)
        with pytest.raises(Trouble, match="does not answer a SuperNode"):
            publish.publish(gate, wrong)
    with pytest.raises(Trouble, match="does not answer a SuperNode"):
        publish.publish(gate, offer)
    assert gate.roles["superlink"][0].attributes == {}


def test_of_a_bundle_the_one_authority_is_taken_that_issued_the_certificate(tmp_path: Path) -> None:
    ours, other = joining.authority(tmp_path), joining.authority(tmp_path, "other")
    both = tmp_path / "both.crt"
    for order in ((ours, other), (other, ours)):
        both.write_text("".join(f"# {each.trust}\n{each.ca}" for each in order))
        assert publish.anchor(both, ours.certificate) == ours.ca
    # A server that sends its root along.
    whole = tmp_path / "whole.crt"
    whole.write_text(ours.certificate.read_text() + ours.ca)
    assert publish.anchor(both, whole) == ours.ca


def test_what_leads_to_no_authority_is_told(tmp_path: Path) -> None:
    ours, other = joining.authority(tmp_path), joining.authority(tmp_path, "other")
    empty = tmp_path / "empty"
    empty.write_text("")
    for trust, certificate, what in (
        (other.trust, ours.certificate, "leads to no certificate"),
        (ours.certificate, ours.certificate, "leads to no certificate"),
        (ours.trust, empty, "leads to no certificate"),
        (empty, ours.certificate, "leads to no certificate"),
        (tmp_path / "nowhere", ours.certificate, "cannot be read"),
    ):
        with pytest.raises(Trouble, match=what) as caught:
            publish.anchor(trust, certificate)
        assert caught.value.state == "CONFIGURE_FAILED"
    with pytest.raises(Trouble, match="address is neither"):
        publish.offer("a b", 8443, ours.trust, ours.certificate, "token")

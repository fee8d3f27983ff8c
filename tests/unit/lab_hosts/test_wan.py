# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The relay's delay, order, loss and rate, without a kernel in between."""

from __future__ import annotations

import socket

import pytest

from fact8ra_lab.hosts import wan
from fact8ra_lab.hosts._system import LabError
from fact8ra_lab.hosts.wan import Relay, Settings


def packet(number: int = 0, destination: str = "10.71.2.10", size: int = 100) -> bytes:
    header = bytes([0x45]) + bytes(11) + socket.inet_aton("10.71.1.10") + socket.inet_aton(destination)
    return header + number.to_bytes(4, "big") + bytes(size - 24)


@pytest.mark.parametrize("values", [{"delay": -1}, {"loss": 101}, {"rate": 1e6}, {"jitter": 1e6}])
def test_settings_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(LabError, match=f"WAN {next(iter(values))} .* is not within"):
        Settings(**values)  # type: ignore[arg-type]


def test_impaired() -> None:
    assert not Settings().impaired
    assert not Settings(cut=("beta",)).impaired
    assert Settings(loss=1).impaired


def test_a_packet_waits_for_the_delay() -> None:
    relay = Relay(Settings(delay=40))
    relay.take(packet(), now=100)
    assert relay.due(100.039) == []
    assert relay.wait(100.03) == pytest.approx(0.01)
    assert relay.due(100.0401) == [packet()]
    assert relay.wait(101) is None


def test_jitter_keeps_the_order_and_the_bounds() -> None:
    relay = Relay(Settings(delay=40, jitter=10), seed=1)
    packets = [packet(number) for number in range(200)]
    for number, one in enumerate(packets):
        relay.take(one, now=number * 0.001)
    assert relay.due(0.029) == []
    assert relay.due(0.2 + 0.0501) == packets


def test_loss_is_the_share_that_was_asked_for() -> None:
    relay = Relay(Settings(loss=20), seed=1)
    for number in range(5000):
        relay.take(packet(number), now=0)
    assert 0.78 < len(relay.due(0)) / 5000 < 0.82


def test_total_loss_passes_nothing() -> None:
    relay = Relay(Settings(loss=100))
    for number in range(100):
        relay.take(packet(number), now=0)
    assert relay.due(1000) == []


def test_rate_spaces_packets_and_drops_what_does_not_fit_the_buffer() -> None:
    relay = Relay(Settings(rate=1))  # 1 Mbit/s: 1000 bytes take 8 ms
    for number in range(200):
        relay.take(packet(number, size=1000), now=0)
    assert len(relay.due(0.0081)) == 1
    assert len(relay.due(0.0801)) == 9
    passed = 10 + len(relay.due(1000))
    assert passed == int(wan.BUFFER_SECONDS / 0.008) + 1


def test_each_destination_site_has_its_own_line() -> None:
    relay = Relay(Settings(rate=1))
    for _unused in range(10):
        relay.take(packet(size=1000), now=0)
    relay.take(packet(destination="10.71.1.10", size=1000), now=0)
    assert packet(destination="10.71.1.10", size=1000) in relay.due(0.0081)


def test_settings_change_while_it_runs() -> None:
    relay = Relay(Settings(delay=1000))
    relay.take(packet(1), now=0)
    relay.settings = Settings()
    relay.take(packet(2, destination="10.71.1.10"), now=0.5)
    assert relay.due(0.5) == [packet(2, destination="10.71.1.10")]
    assert relay.due(1) == [packet(1)]


def test_other_protocols_are_dropped_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay(Settings(delay=10))
    relay.take(bytes([0x60]) + bytes(60), now=0)
    assert relay.due(1) == []
    monkeypatch.setattr(wan, "QUEUE_PACKETS", 5)
    for number in range(9):
        relay.take(packet(number), now=1)
    assert len(relay.due(2)) == 5


def test_a_change_without_a_wan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wan, "netns_exists", lambda name: False)
    with pytest.raises(LabError, match="the WAN is not up"):
        wan.change(["alpha"], delay=1)
    assert wan.status() == {"up": False}


def test_a_cut_of_an_unknown_site_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wan, "netns_exists", lambda name: True)
    with pytest.raises(LabError, match=r"no site gamma to cut off \(up: alpha, beta\)"):
        wan.change(["alpha", "beta"], cut=("gamma",))

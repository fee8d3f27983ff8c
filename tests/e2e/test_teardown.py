# SPDX-License-Identifier: Apache-2.0
"""The way back: whole federations and half-made ones are removed. Comes after the other end-to-end tests."""

from __future__ import annotations

import pytest
from lab import Lab
from playbooks import play, play_until

pytestmark = [pytest.mark.lab, pytest.mark.root]


def test_teardown_removes_everything_the_federation_had(lab: Lab) -> None:
    play("teardown").succeeded()
    left = lab.objects()
    assert not [name for name, answer in left.items() if "poc-" in answer]
    assert play("teardown").succeeded().changed == 0


def test_a_half_made_site_is_torn_down(lab: Lab) -> None:
    play_until("site", "TASK [fact8ra.flower.site : Service template]")
    assert any("poc-" in answer for answer in lab.objects().values())
    play("teardown").succeeded()
    assert not [name for name, answer in lab.objects().items() if "poc-" in answer]

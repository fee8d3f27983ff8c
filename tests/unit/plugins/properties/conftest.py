# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Property tests: the same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones, for longer."""

from __future__ import annotations

import importlib.util
import os

# the other environment, with Flower for the tests that are marked so, has it not
if importlib.util.find_spec("hypothesis") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from hypothesis import HealthCheck, settings
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(".pytest_cache/hypothesis")
    settings.register_profile(
        "repeatable",
        derandomize=True,
        max_examples=150,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("search", settings.get_profile("repeatable"), derandomize=False, max_examples=5000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Running a module in this process, as ansible-core does in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any
from unittest import mock

from ansible.module_utils import _internal
from ansible.module_utils.common import warnings as module_warnings
from ansible.module_utils.testing import patch_module_args


@contextlib.contextmanager
def as_on_a_target() -> Iterator[None]:
    """Let warnings reach the module's result, and only its own.

    A test that loads a plugin turns this process into a controller, where warnings are displayed.
    """
    with (
        mock.patch.object(_internal, "is_controller", False),
        mock.patch.object(module_warnings, "_global_warnings", {}),
        mock.patch.object(module_warnings, "_global_deprecations", {}),
    ):
        yield


class ModuleFailed(AssertionError):
    """The module failed; C(result) is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(str(result.get("msg")))
        self.result = result


def run_module(
    module: ModuleType, params: Mapping[str, Any], *, check: bool = False, diff: bool = False, warns: bool = False
) -> dict[str, Any]:
    """Run a module, which has to warn or not as C(warns) says, and return its result.

    Raises:
        ModuleFailed: it failed. Its output must not hold a traceback or the password in any case.
    """
    output = io.StringIO()
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
    with (
        as_on_a_target(),
        patch_module_args(arguments),
        contextlib.redirect_stdout(output),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    text = output.getvalue()
    assert "Traceback" not in text
    result: dict[str, Any] = json.loads(text)
    password = params.get("password")
    if password:
        invocation = result.pop("invocation", {})
        assert password not in json.dumps(result)
        assert password not in json.dumps(invocation)
    assert ("warnings" in result) == warns, result.get("warnings")
    assert "deprecations" not in result, result["deprecations"]
    if result.get("failed"):
        raise ModuleFailed(result)
    return result

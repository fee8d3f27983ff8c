# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Running modules against a stand-in, with the calls that each run made."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from module_runner import ModuleFailed, run_module

READING = ("info", "infoextended", "version")


@dataclass
class Site:
    """A stand-in as one of its users sees it.

    Attributes:
        standin: the running stand-in.
        user: name and password.
        calls: XML-RPC methods that the last run called, in order, without the prefix C(one.).
        flow_calls: what the last run asked of OneFlow, in order, as C("VERB /path").
        options: options that every run gets, beside the connection.
    """

    standin: Any
    user: tuple[str, str]
    calls: list[str] = field(default_factory=list)
    flow_calls: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> dict[str, Any]:
        """The connection options of the modules."""
        return {
            "endpoint": self.standin.endpoint,
            "flow_endpoint": self.standin.flow_endpoint,
            "username": self.user[0],
            "password": self.user[1],
        }

    @property
    def writes(self) -> list[str]:
        """Those of C(calls) and C(flow_calls) that may change something."""
        flow = [call for call in self.flow_calls if not call.startswith("GET ")]
        return [call for call in self.calls if call.rpartition(".")[2] not in READING] + flow

    def run(
        self, module: ModuleType, *, check: bool = False, diff: bool = False, warns: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Run a module and return its result; raises ModuleFailed."""
        self.standin.calls.clear()
        try:
            given = {**self.connection, **self.options, **options}
            return run_module(module, given, check=check, diff=diff, warns=warns)
        finally:
            self.calls = [what.removeprefix("one.") for api, what in self.standin.calls if api == "xmlrpc"]
            self.flow_calls = [what for api, what in self.standin.calls if api == "oneflow"]

    def fail(self, module: ModuleType, **options: Any) -> dict[str, Any]:
        """Run a module that has to fail and return its result, which has C(msg) and C(failure)."""
        try:
            result = self.run(module, **options)
        except ModuleFailed as failed:
            return failed.result
        raise AssertionError(f"the module did not fail, it returned {result}")

    def lifecycle(
        self, module: ModuleType, name: str, *, create: dict[str, Any], update: dict[str, Any]
    ) -> dict[str, Any]:
        """Take an object from nothing to nothing, with check mode and a second run at every step.

        Returns:
            The object after the update and the rename.
        """
        absent = {"name": create["name"], "state": "absent"}
        self._step(module, name, create, first=True)
        self._step(module, name, {**create, **update})
        number = self.run(module, **{**create, **update})[name]["id"]
        self._step(module, name, {"id": number, "name": "renamed"})
        renamed: dict[str, Any] = self.run(module, id=number, name="renamed")[name]
        assert renamed["name"] == "renamed"
        assert self.run(module, **absent)["changed"] is False, "the old name is gone"
        predicted = self.run(module, check=True, diff=True, id=number, state="absent")
        assert predicted["changed"] is True
        assert self.writes == []
        done = self.run(module, diff=True, id=number, state="absent")
        assert (done["changed"], done["diff"], done[name]) == (True, predicted["diff"], None)
        assert done["diff"]["after"] == {}
        for gone in ({"id": number}, {"name": "renamed"}):
            assert self.run(module, state="absent", **gone)["changed"] is False
            assert self.writes == []
        return renamed

    def _step(self, module: ModuleType, name: str, options: dict[str, Any], first: bool = False) -> None:
        predicted = self.run(module, check=True, diff=True, **options)
        assert predicted["changed"] is True
        assert self.writes == [], "check mode must not write"
        done = self.run(module, diff=True, **options)
        assert done["changed"] is True
        assert self.writes
        assert done["diff"] == predicted["diff"]
        assert (done["diff"]["before"] == {}) is first
        assert done["diff"]["before"] != done["diff"]["after"]
        again = self.run(module, diff=True, **options)
        assert again["changed"] is False
        assert self.writes == []
        assert len(self.calls) == len(set(self.calls)), "no pool and no object is read twice"
        assert again["diff"]["before"] == again["diff"]["after"] == done["diff"]["after"]
        assert again[name] == done[name]

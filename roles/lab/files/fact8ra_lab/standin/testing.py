# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in within a test: all three servers on free ports of 127.0.0.1, state in memory, driver none.

with StandIn() as standin:
    client = pyone.OneServer(standin.endpoint, session=":".join(standin.tenant))
"""

from __future__ import annotations

import ssl
import time
import xmlrpc.client
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from .app import Site
from .config import Config, ConfigError, Timers, Tls
from .drivers import Driver
from .faults import Faults
from .personality import LATEST, VERSIONS

TENANT_RIGHTS: Final = (
    "@flower VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+NET/* CREATE *",
    "@flower CLUSTER/#0 ADMIN *",
)


def default_seed() -> dict[str, Any]:
    """oneadmin, and the tenant ``flower`` who may create what a federation needs; an image that everyone may use."""
    return {
        "oneadmin_password": "oneadmin-secret",
        "groups": ["flower"],
        "users": [{"name": "flower", "password": "flower-secret", "group": "flower"}],
        "acls": list(TENANT_RIGHTS),
        "images": [{"name": "flower-debian-12", "path": "/etc/hostname", "size_mb": 2048, "mode": "644"}],
    }


class StandIn:
    """A running stand-in. ``timers`` and ``seed`` replace the defaults; ``tls`` is (certificate file, key file).

    ``version``: which OpenNebula it is like, one of ``personality.VERSIONS``. Raises ConfigError for another one.
    """

    admin: Final = ("oneadmin", "oneadmin-secret")
    tenant: Final = ("flower", "flower-secret")

    def __init__(
        self,
        seed: dict[str, Any] | None = None,
        timers: dict[str, Any] | None = None,
        tls: tuple[str, str] | None = None,
        state_dir: str = "",
        driver: Driver | None = None,
        version: str = LATEST.version,
        restrict_networks: bool = False,
    ) -> None:
        # A second of cooldown passes in 10 ms, so that a role's own cooldown does not slow a test down.
        fast = Timers(**({"cooldown_scale": 0.01} | (timers or {})))
        if version not in VERSIONS:
            raise ConfigError(f"version is {version!r}; it must be one of {', '.join(VERSIONS)}")
        self.config = Config(
            name="test",
            state_dir=state_dir,
            seed=default_seed() if seed is None else seed,
            timers=fast,
            tls=Tls(*tls) if tls else None,
            version=version,
            restrict_networks=restrict_networks,
        )
        self._driver = driver
        self.site: Site

    def start(self) -> Self:
        """Starts the servers."""
        self.site = Site(self.config, self._driver)
        self.site.start()
        return self

    def stop(self) -> None:
        """Stops the servers."""
        self.site.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """XML-RPC, with /RPC2."""
        return self.site.endpoint

    @property
    def flow_endpoint(self) -> str:
        """OneFlow."""
        return self.site.flow_endpoint

    @property
    def gate_endpoint(self) -> str:
        """OneGate."""
        return self.site.gate_endpoint

    @property
    def faults(self) -> Faults:
        """The faults: ``add({...})``, ``clear()``."""
        return self.site.faults

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The calls since the last reset: (api, "one.method" or "VERB /path"); ``calls.clear()`` resets."""
        return self.site.faults.calls

    def reset_calls(self) -> None:
        """Forgets the calls."""
        self.site.faults.reset()

    def one(self, method: str, *params: Any, user: tuple[str, str] | None = None) -> Any:
        """Calls an XML-RPC method over HTTP, as oneadmin or another user. Raises RuntimeError with the error's text."""
        context = None
        if self.endpoint.startswith("https"):
            context = ssl._create_unverified_context()  # the test's own server
        name, password = user or self.admin
        with xmlrpc.client.ServerProxy(self.endpoint, allow_none=True, context=context) as proxy:
            answer: Any = getattr(proxy, method)(f"{name}:{password}", *params)
        if not answer[0]:
            raise RuntimeError(answer[1])
        return answer[1]

    def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Waits until the condition holds. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"condition not met within {seconds} s")
            time.sleep(0.005)

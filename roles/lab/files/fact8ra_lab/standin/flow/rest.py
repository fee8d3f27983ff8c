# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow's REST routes. Source: src/flow/oneflow-server.rb of release-7.4.0."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..access import Caller
from ..clock import Clock
from ..cloud import Cloud
from ..errors import CallError
from ..rpc import Rpc
from .answers import Answer, crash, unknown_route
from .errors import FlowError, InvalidTemplate, RubyError, of_call
from .lcm import Lcm
from .restservices import ServiceRoutes
from .resttemplates import TemplateRoutes


class FlowRest(ServiceRoutes, TemplateRoutes):
    """Answers requests."""

    def __init__(self, cloud: Cloud, rpc: Rpc, lcm: Lcm, clock: Clock) -> None:
        super().__init__(cloud, rpc, lcm, clock)
        one = r"/service/([^/]+)"
        template = r"/service_template/([^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile("/service"), self._list_services),
            ("GET", re.compile(one), self._get_service),
            ("DELETE", re.compile(one), self._delete_service),
            ("PUT", re.compile(one), self._update_service),
            ("POST", re.compile(one + "/action"), self._service_action),
            ("POST", re.compile(one + "/scale"), self._scale),
            ("POST", re.compile(one + "/role_action"), self._role_action),
            ("POST", re.compile(one + "/role/([^/]+)/action"), self._scheduled_role_action),
            ("POST", re.compile("/service_pool/purge_done"), self._purge),
            ("GET", re.compile("/service_template"), self._list_templates),
            ("POST", re.compile("/service_template"), self._create_template),
            ("GET", re.compile(template), self._get_template),
            ("PUT", re.compile(template), self._update_template),
            ("DELETE", re.compile(template), self._delete_template),
            ("POST", re.compile(template + "/action"), self._template_action),
        ]

    def handle(self, caller: Caller, verb: str, path: str, body: str, host: str) -> Answer:
        """The answer to an authenticated request."""
        as_json = self.cloud.personality.flow_errors_as_json
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(path)
            if method == verb and found:
                try:
                    with self.cloud.change():
                        return handler(caller, body, *found.groups())
                except FlowError as error:
                    return Answer(error.status, error.text)
                except InvalidTemplate as error:
                    return Answer(400, str(error))
                except CallError as error:
                    failure = of_call(error)
                    return Answer(failure.status, failure.text)
                except RubyError as error:
                    return crash(as_json, str(error))
                except (KeyError, TypeError, AttributeError) as error:
                    return crash(as_json, f"undefined method for nil: {error}")
        return unknown_route(verb, path, host)

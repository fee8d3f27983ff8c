# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How a service template becomes a service. Source: src/flow/oneflow-server.rb of release-7.4.0 and release-6.10.0."""

from __future__ import annotations

from typing import Any

from ..access import Caller
from ..cloud import now
from . import merge as merging
from . import oldform, schema
from .answers import Answer
from .documents import Documents
from .errors import FlowError, InvalidTemplate
from .lcm import TEMPLATE
from .schema import Body
from .service import Service
from .waits import SERVICE


class Instances(Documents):
    """Makes services."""

    def _check_inputs(self, inputs: Any, values: Any) -> None:
        texts = self.cloud.personality.flow_inputs
        if not inputs:
            return
        if values is None:
            raise FlowError(400, f"The Service template specifies {texts.many} but no values have been found")
        if not isinstance(inputs, dict) or not isinstance(values, dict):
            raise FlowError(400, texts.wrong)
        if set(inputs) - set(values):
            raise FlowError(400, f"Verify that every {texts.one} have its corresponding value defined")

    def _check_role_inputs(self, role: Body, merge: Body) -> None:
        texts = self.cloud.personality.flow_inputs
        if not self.cloud.personality.flow_old_form and not isinstance(role.get("template_contents", {}), dict):
            raise FlowError(
                400,
                f"Error validating template_contents object for therole {role['name']}."
                " The object must be a valid hash.",
            )
        if role.get(texts.key) is None:
            return
        roles = merge.get("roles")
        if roles is None:
            raise FlowError(
                400,
                f"The Service template specifies {texts.of_role} for the role {role['name']} but no values have been"
                " found",
            )
        if not isinstance(roles, list) or not roles:
            raise FlowError(400, f"The role {texts.of_role} are empty or do not have a valid format")
        found = next((item for item in roles if item.get("name") == role["name"]), None)
        if found is None and self.cloud.personality.flow_old_form:
            raise FlowError(400, "undefined method `[]' for nil")
        if found:
            self._rename_inputs(found)
            self._check_inputs(role[texts.key], found.get(f"{texts.key}_values"))

    def _rename_inputs(self, values: Body) -> None:
        """Since 7.0 the name of 6.x is taken for that of 7.x."""
        if not self.cloud.personality.flow_old_form and "custom_attrs_values" in values:
            values["user_inputs_values"] = values.pop("custom_attrs_values")

    @staticmethod
    def _check_networks(networks: Any, merge: Body) -> None:
        values = merge.get("networks_values")
        if networks is not None and values is None:
            try:
                values = []
                for name, text in networks.items():
                    kind, *number = text.split("|")[4].strip().split(":")
                    values.append({name: {kind: number[0] if number and number[0] else None}})
            except (AttributeError, IndexError) as error:
                raise FlowError(400, "Wrong networks format") from error
            merge["networks_values"] = values
        if networks and not isinstance(networks, dict):
            raise FlowError(400, "Wrong networks format")
        if values and not all(isinstance(value, dict) for value in values):
            raise FlowError(400, "Wrong networks_values format")
        if networks and set(networks) - {name for value in values or [] for name in value}:
            raise FlowError(400, "Every network key must have its value defined at networks_value")
        for entry in values or []:
            for net in entry.values():
                for key, value in net.items():
                    if isinstance(value, str):
                        net[key] = value.replace('\\"', "")

    def _instantiate(self, caller: Caller, number: str, given: Body) -> Answer:
        document = self._document(caller, number, TEMPLATE)
        merge: Body = given.get("merge_template") or {}
        template = document.body or {}
        like = self.cloud.personality
        self._rename_inputs(merge)
        self._check_inputs(template.get(like.flow_inputs.key), merge.get(f"{like.flow_inputs.key}_values"))
        for role in template["roles"]:
            self._check_role_inputs(role, merge)
        self._check_networks(template.get("networks"), merge)
        body = merging.instance_body(template, merge, like)
        try:
            schema.validate(body, like)
        except InvalidTemplate as error:
            raise FlowError(500, str(error)) from error
        body["state"] = 0
        for role in body["roles"]:
            if not role.get("state"):
                role["state"] = 0
        body["start_time"] = now()
        if like.flow_old_form:
            oldform.resolve_attributes(body)
        made = self._allocate(caller, SERVICE, body)
        # The answer shows the service as it was made, before its networks are.
        answer = self.show(made, 201)
        self.lcm.start(caller, Service(self.cloud, made))
        return answer

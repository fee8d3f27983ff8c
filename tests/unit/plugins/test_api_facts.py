# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How OpenNebula's interfaces really behave, and the tests that show that the modules heed it.

Each fact was seen on a live 7.4.0 or read in the source of OpenNebula, OneFlow or pyone. A test that is named here has
to exist; those of this file have to be named.
"""

from __future__ import annotations

import ast
import functools
import json
from pathlib import Path
from typing import Any

import pytest
from flow import FlowScript, action, get, service, template, vm
from recording import RecordingClient, pool_object
from servers import http_server, oned

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import facts, service_vms
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    GROUP,
    USER,
    VNET,
    Objects,
    apply_common,
)

HERE = Path(__file__).parent
FLOW = "module_utils/test_oneflow_client.py"
BODIES = "module_utils/test_oneflow_normalize.py"
FORMS = "module_utils/test_oneflow_template.py"
SERVICES = "module_utils/test_oneflow_service.py"
VALUES = "module_utils/test_oneflow_values.py"
RPC = "module_utils/test_xmlrpc_client.py"
POOLS = "module_utils/test_xmlrpc_objects.py"
TEXT = "module_utils/test_xmlrpc_template.py"
NETS = "module_utils/test_xmlrpc_vnet.py"
HTTP = "module_utils/test_http.py"
VNETS = "modules/test_vnet.py"
TRIED = "modules/test_oneflow_service.py"
LINKS = "modules/test_connections.py"
RAGGED = "properties/test_ragged_answers.py"
TRIPS = "properties/test_round_trips.py"
THIS = Path(__file__).name

FACTS: dict[str, tuple[str, ...]] = {
    # OneFlow: transport
    "OneFlow labels everything text/html, JSON too": (f"{HTTP}::test_bodies_are_kept_whatever_the_status",),
    "creating answers 201 with a document, other changes 204 without a body": (
        f"{THIS}::test_an_answer_without_a_body_is_an_answer",
    ),
    "errors are a line of text": (f"{FLOW}::test_the_text_of_an_error_is_quoted_with_endpoint_and_object",),
    "an uncaught exception is 500 with JSON": (
        f"{FLOW}::test_an_uncaught_exception_of_the_server_is_shown_by_its_reason",
    ),
    "an unknown route is 404 with a page": (
        f"{FLOW}::test_a_page_for_an_unknown_route_means_a_wrong_url_and_not_that_nothing_is_there",
    ),
    "401 is a wrong password and missing rights, 403 too, 500 every refusal, 400 a bad body": (
        f"{FLOW}::test_the_text_of_an_error_is_quoted_with_endpoint_and_object",
        f"{THIS}::test_missing_rights_are_no_wrong_password",
    ),
    "an id that is no number is taken for document 0": (f"{FLOW}::test_only_digits_reach_a_path",),
    "services and templates share their ids, and the id of the other kind is a 500": (
        f"{FLOW}::test_the_id_of_a_document_of_another_kind_is_a_500_and_means_not_there",
        f"{FLOW}::test_a_document_of_the_wrong_type_is_not_taken",
    ),
    "names of documents are not unique": (f"{FLOW}::test_a_name_that_comes_twice_lists_ids_and_owners",),
    "the base URL may have a path": (
        f"{FLOW}::test_the_base_url_may_have_a_path",
        f"{LINKS}::test_both_interfaces_work_under_a_path_behind_tls",
    ),
    "OneFlow takes half a minute for a step when it misses an event": (f"{THIS}::test_the_limit_for_silence_is_long",),
    # OneFlow: JSON
    "an empty pool has no DOCUMENT": (f"{FLOW}::test_an_empty_pool_has_no_document_key",),
    "a pool of one is a list, elsewhere one element is none": (
        f"{BODIES}::test_a_pool_may_be_one_element_and_is_sorted",
        f"{RAGGED}::test_a_document_of_oneflow",
    ),
    "the envelope has texts, the body JSON types, numbers come as either": (
        f"{BODIES}::test_values_that_mean_the_same",
    ),
    "a fresh service has no nodes and no log": (
        f"{THIS}::test_a_fresh_service_can_be_read",
        f"{RAGGED}::test_a_document_of_oneflow",
    ),
    "a node has neither state nor address, and its copy of the VM gets old": (
        f"{THIS}::test_facts_of_a_vm_come_from_oned_and_not_from_the_copy_of_oneflow",
    ),
    "VMs are numbered on for ever": (f"{TRIED}::test_scaling_up_and_down_keeps_the_numbers_of_the_vms",),
    "the server adds defaults": (
        f"{FORMS}::test_what_the_server_adds_or_writes_otherwise_is_no_difference",
        f"{FORMS}::test_empty_values_of_the_user_and_missing_ones_of_the_server_are_the_same",
    ),
    "the name of a template and the one in its body part": (
        f"{FORMS}::test_a_rename_by_id_changes_the_name_and_the_name_in_the_body",
    ),
    "7.x reads what 6.x wrote and answers in its own form; 6.x takes only its own": (
        f"{BODIES}::test_the_old_form_is_read_as_the_new_one",
        f"{FORMS}::test_opennebula_6_is_written_in_its_own_form",
        f"{SERVICES}::test_opennebula_6_gets_its_own_words",
    ),
    "the version is one call": (f"{RPC}::test_the_version_is_asked_once",),
    "not checked: VM templates and parents that do not exist, an empty list of roles": (
        f"{FORMS}::test_what_oneflow_would_accept_and_hang_on_is_refused_before_a_write",
    ),
    # OneFlow: actions on templates
    "actions on templates answer 204 to failures, and 200 to unknown ones": (
        f"{FORMS}::test_actions_that_answer_204_to_everything_are_verified",
        "modules/test_oneflow_template.py::test_a_refused_action_that_answers_204_is_an_error",
    ),
    "a mode has to be three digits as a text": (
        f"{FLOW}::test_name_mode_and_ownership_go_out_as_oneflow_needs_them",
        f"{FORMS}::test_a_mode_that_oneflow_would_misread_is_refused",
    ),
    "chown without a group gives a template to group 0": (
        f"{FLOW}::test_name_mode_and_ownership_go_out_as_oneflow_needs_them",
    ),
    "clone copies the VM templates too, unless told": (f"{THIS}::test_a_copy_leaves_the_vm_templates_alone",),
    "PUT replaces the whole body, and registration_time is immutable": (
        f"{FORMS}::test_put_sends_the_registration_time_that_was_read",
    ),
    "an action needs params": (f"{FLOW}::test_an_action_always_has_params",),
    # OneFlow: services
    "inputs have to be complete": (f"{VALUES}::test_inputs_are_always_complete",),
    "networks are a list of dicts with one key": (
        f"{VALUES}::test_every_declared_network_gets_a_value_in_the_order_of_the_template",
    ),
    "6.x merges roles by place, 7.x by name": (
        f"{VALUES}::test_every_role_is_sent_with_its_name_in_the_order_of_the_template",
    ),
    "a reservation that fails leaves a dead document": (
        f"{SERVICES}::test_an_instantiation_that_leaves_a_dead_document_names_it",
    ),
    "instantiating succeeds before anything is deployed; the reason of a failure is only in the log": (
        f"{SERVICES}::test_a_failure_ends_the_wait_at_once_with_the_log_and_the_vms",
    ),
    "scaling is POST /service/ID/scale and needs force": (f"{FLOW}::test_scale_always_sends_force",),
    "scaling is followed by COOLDOWN, which refuses the next one": (
        f"{SERVICES}::test_scaling_goes_through_scaling_and_cooldown",
        f"{SERVICES}::test_without_waiting_a_busy_service_cannot_be_scaled",
    ),
    "a cardinality at or beyond its limits is refused": (
        f"{SERVICES}::test_a_cardinality_that_oneflow_would_refuse_is_refused_before",
    ),
    "a service that is deleted disappears": (f"{SERVICES}::test_delete_is_sent_once_and_waited_for",),
    "a second DELETE orphans the VMs": (
        f"{SERVICES}::test_a_service_that_is_being_removed_is_only_waited_for",
        f"{SERVICES}::test_a_vm_that_does_not_shut_down_is_named_by_the_timeout_and_delete_is_not_sent_again",
        f"{FLOW}::test_a_write_is_sent_once_even_when_the_connection_breaks",
    ),
    "DELETE is refused while something goes on and after failures; recover with delete is not": (
        f"{SERVICES}::test_where_delete_is_refused_recover_delete_removes_it",
    ),
    "recover shows the old state for a while": (
        f"{SERVICES}::test_recover_tries_a_failed_service_again_and_ignores_the_old_state_for_a_while",
    ),
    "a parent that is no role hangs in DEPLOYING_NETS": (
        f"{SERVICES}::test_a_hang_in_deploying_nets_ends_before_the_timeout_with_its_causes",
    ),
    "a VM that is powered off makes WARNING": (f"{TRIED}::test_a_powered_off_vm_makes_a_warning_that_names_it",),
    "a VM that is terminated by hand lowers the cardinality": (
        f"{TRIED}::test_a_vm_that_was_terminated_by_hand_is_made_again",
    ),
    "11 is HOLD for a role and DEPLOYING_NETS for a service": (
        f"{BODIES}::test_service_and_role_states_differ_from_11_on",
        f"{BODIES}::test_every_state_belongs_somewhere",
    ),
    "a VM may write what it says of its own role": (
        "plugin_utils/test_inventory.py::test_a_vm_that_claims_another_role_or_service_gets_neither",
    ),
    # oned
    "networks are made and deleted in their own time": (
        f"{NETS}::test_waiting_until_ready",
        f"{NETS}::test_waiting_until_gone",
        f"{VNETS}::test_a_network_that_is_being_created_is_waited_for",
    ),
    "an update that replaces needs VN_MAD; one that merges keeps the rest": (
        f"{POOLS}::test_a_template_is_merged_unless_something_is_removed",
        f"{VNETS}::test_replace_removes_what_is_not_given_and_keeps_the_driver",
    ),
    "address ranges are no part of the template": (
        "modules/test_vnet_options.py::test_attributes_of_a_range_are_updated_in_place_and_others_stay",
    ),
    "leases linger after the VM": (f"{NETS}::test_leases_of_vms_that_are_being_removed_are_waited_for",),
    "a reservation has its attributes from its parent, whose id may be 0": (
        f"{VNETS}::test_what_a_reservation_inherits_is_not_compared",
        f"{NETS}::test_a_parent_with_id_0_makes_a_reservation",
    ),
    "attributes of the administrator are refused": (
        "modules/test_vnet_options.py::test_a_restricted_attribute_is_named",
    ),
    "names are unique for each owner only": (
        f"{POOLS}::test_the_own_object_comes_before_those_of_others",
        f"{POOLS}::test_an_object_of_another_user_is_never_taken_by_its_name",
    ),
    "0 is the id of an object, a user and a group": (
        f"{POOLS}::test_an_id_is_read_alone_and_0_is_one",
        f"{FLOW}::test_id_0_is_an_id",
        f"{THIS}::test_user_and_group_0_are_themselves",
    ),
    "a name costs one pool, however many there are": (
        f"{POOLS}::test_references_by_name_share_one_pool",
        f"{THIS}::test_a_run_asks_for_each_pool_once",
    ),
    "one element is a dict, several are a list, none is a text": (
        f"{RPC}::test_ragged_answers_are_read_alike",
        f"{RAGGED}::test_every_tree_is_a_plain_dict_and_can_be_read",
    ),
    "vectors are replaced, not merged": (f"{TEXT}::test_templates_are_compared_in_one_form",),
    "only a quote is escaped between quotes": (
        f"{TEXT}::test_values_survive_the_way_to_the_server",
        f"{TRIPS}::test_a_template_is_read_as_it_was_written",
    ),
    "quotas are refused as missing rights": (f"{THIS}::test_a_quota_is_told_in_the_servers_words",),
    "a name that is taken is an error of another kind for each object": (
        f"{THIS}::test_a_name_that_is_taken_is_refused_whatever_its_code",
    ),
    # pyone
    "pyone ignores a TLS context": (
        f"{RPC}::test_certificates_are_verified",
        f"{LINKS}::test_a_certificate_of_an_unknown_authority_is_refused_by_both",
    ),
    "the timeout of pyone does not reach its transport": (
        f"{RPC}::test_a_silent_server_costs_no_more_than_the_timeout",
        f"{LINKS}::test_a_silent_server_costs_no_more_than_the_timeout",
    ),
    "requests reads REQUESTS_CA_BUNDLE": (f"{LINKS}::test_a_certificate_of_an_unknown_authority_is_refused_by_both",),
    "OneServer is a class or a factory": (f"{RPC}::test_old_releases_of_pyone_have_the_server_elsewhere",),
    "grpcio is not needed, and an URL without RPC2 is no gRPC": (
        f"{RPC}::test_neither_grpc_nor_the_environment_changes_the_way_to_the_server",
    ),
    "an URL without http is gRPC to pyone": (f"{HTTP}::test_unusable_parameters_are_named",),
    "pyone takes the first character of an empty text": (f"{RPC}::test_an_empty_text_is_an_answer",),
    "objects of pyone differ between releases and cannot be printed": (f"{RPC}::test_xml_becomes_a_plain_dict",),
    "pyone may not be there": (f"{RPC}::test_a_missing_pyone_is_said_so",),
    "a password may have colons": (
        f"{RPC}::test_a_password_with_colons_is_sent_whole",
        f"{LINKS}::test_a_password_with_colons_reaches_both_interfaces_whole",
    ),
}


@functools.cache
def _tests_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("fact", "tests"), FACTS.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_tests_of_a_fact_exist(fact: str, tests: tuple[str, ...]) -> None:
    assert tests, fact
    for test in tests:
        path, name = test.split("::")
        assert name in _tests_in(HERE / path), f"{fact!r} is said to be shown by {test}"


def test_the_tests_of_this_file_show_facts() -> None:
    named = {test.partition("::")[2] for tests in FACTS.values() for test in tests if test.startswith(THIS)}
    mine = {"test_the_tests_of_a_fact_exist", "test_the_tests_of_this_file_show_facts"}
    assert _tests_in(Path(__file__)) - mine == named


def test_an_answer_without_a_body_is_an_answer() -> None:
    answers = [(201, json.dumps(service()).encode()), (204, b"")]
    with http_server(lambda _request: answers.pop(0)) as server:
        flow = OneFlow(Target(server.url, "flower", "secret"))
        assert flow.instantiate(5, {"name": "fed"}).id == 7
        flow.act(SERVICE, 7, "chmod", {"octet": "640"})
    assert [request.method for request in server.requests] == ["POST", "POST"]


def test_missing_rights_are_no_wrong_password() -> None:
    text = "[one.document.info] User [2] : Not authorized to perform USE DOCUMENT [37]."
    with pytest.raises(NotAuthorized) as caught:
        FlowScript(get("/service_template/37", text, 401)).get(TEMPLATE, 37)
    failure = caught.value.as_failure()
    assert (failure["object"], failure["id"], failure["server_message"]) == ("service template", 37, text)


def test_the_limit_for_silence_is_long() -> None:
    assert Target("http://one:2474", "flower", "secret").read_timeout >= 2 * 30


def test_a_fresh_service_can_be_read() -> None:
    found = document(service(state=0, vms=False))
    seen = facts(found, {})
    assert (seen["state"], seen["log"]) == ("PENDING", [])
    assert [role["vms"] for role in seen["roles"]] == [[], []]


def test_facts_of_a_vm_come_from_oned_and_not_from_the_copy_of_oneflow() -> None:
    found = document(service())
    client = RecordingClient({"vmpool.infoextended": {"VM": [vm(10, "new name"), vm(99, "of another service")]}})
    seen = facts(found, service_vms(client, [10, 11]))
    assert client.calls == [("vmpool.infoextended", -2, 10, 11, -1, "")]
    (named,) = [each for role in seen["roles"] for each in role["vms"] if each["id"] == 10]
    assert (named["name"], named["lcm_state"], named["addresses"]) == ("new name", "RUNNING", ["10.0.0.10"])
    # oned does not show it, so this is what OneFlow remembers
    (hidden,) = [each for role in seen["roles"] for each in role["vms"] if each["id"] == 11]
    assert (hidden["name"], hidden["state"], hidden["addresses"]) == ("supernode_0_(service_7)", None, [])


def test_a_copy_leaves_the_vm_templates_alone() -> None:
    params = {"name": "copy", "recursive": "none"}
    flow = FlowScript(action("/service_template/5", "clone", params, 201, template(6, "copy")))
    assert flow.clone_template(5, "copy").id == 6
    flow.done()


def test_user_and_group_0_are_themselves() -> None:
    objects = Objects(RecordingClient({}))
    assert [objects.referred(USER, each, "owner") for each in (0, "0")] == [0, 0]
    raw = pool_object(0, "net")
    client = RecordingClient({"vn.chown": 0})
    apply_common(Objects(client), VNET, raw, {"owner": "0", "group": "0"})
    assert client.calls == [("vn.chown", 0, 0, 0)]


def test_a_run_asks_for_each_pool_once() -> None:
    client = RecordingClient(
        {"vnpool.info": {"VNET": pool_object(0, "net")}, "grouppool.info": {"GROUP": [pool_object(1, "users")]}}
    )
    objects = Objects(client)
    for _time in range(3):
        assert objects.referred(VNET, "net", "network") == 0
        assert objects.referred(GROUP, "users", "group") == 1
        found: Any = objects.managed(VNET, {"id": None, "name": "net", "username": "flower"})
        assert found["ID"] == "0"
    assert client.methods == ["vnpool.info", "grouppool.info"]


def _refusing(code: int, text: str) -> Any:
    with http_server(oned(lambda _method, _params: [False, text, code])) as server:
        client = Client(Target(f"{server.url}/RPC2", "flower", "secret"))
        with pytest.raises((NotAuthorized, Refused)) as caught:
            client.call("vn.allocate", 'NAME="net"', -1, what="create virtual network 'net'")
    return caught.value


def test_a_quota_is_told_in_the_servers_words() -> None:
    text = "[one.vn.allocate] User [2] : limit of 1 reached for quota NETWORK LEASES."
    error = _refusing(0x0200, text)
    assert error.__class__ is NotAuthorized
    assert text in error.message


def test_a_name_that_is_taken_is_refused_whatever_its_code() -> None:
    for code in (0x2000, 0x4000):
        error = _refusing(code, "[one.vn.allocate] NAME is already taken by NETWORK 0.")
        assert error.__class__ is Refused
        assert error.as_failure()["server_message"] == "[one.vn.allocate] NAME is already taken by NETWORK 0."

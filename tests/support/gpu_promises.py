# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of GPUs, the tests that hold it, and what only hardware can prove (a row of docs/gpu.md)."""

from __future__ import annotations

from dataclasses import dataclass

_FACTS = "tests/unit/gpu/test_machines.py"
_HOST = "tests/unit/roles/test_nvidia_host.py"
_UNDO = "tests/unit/roles/test_nvidia_host_undo.py"
_FILES = "tests/unit/roles/test_nvidia_host_files.py"
_QEMU = "tests/gpu/test_passthrough.py"
_QEMU_AMD = "tests/gpu/test_passthrough_amd.py"
_OPENNEBULA = "tests/integration/test_gpu_opennebula.py"
_SITE = "tests/faults/test_gpus.py"
_PREFLIGHT = "tests/unit/plugins/module_utils/test_preflight_gpus.py"
_DRIVER = "tests/unit/plugins/filter/test_gpu_guest.py"
_REPORT = "tests/unit/gpu_guest/test_guest_report.py"
_BOOT = "tests/unit/gpu_guest/test_guest_boot.py"
_UNITS = "tests/unit/roles/test_flower_units.py"
_MOLECULE = "extensions/molecule/nvidia_guest/verify.yml"
_ROWS = "tests/unit/plugins/filter/test_gpu_validate.py"
_ROUND = "tests/integration/flower/test_gpu_round.py"

FACTS_OF_A_CARD = "The facts of a real card and its firmware are right"
FUNCTIONS = "SR-IOV virtual functions of a real card are read right"
CONSOLE = "The card of the host's console is told"
SPLITS = "MIG capability is told as the driver tells it"
BOUND = "A real card is bound at boot, with audio and USB, before the host's driver has it"
GIVEN_BACK = "A host gets its card back"
DISTRIBUTIONS = "Ubuntu, openSUSE, SLES and the RHEL family reboot with what was written"
POOL = "OpenNebula's own monitoring brings the card into the pool"
SYNC = "`onehost sync` reaches the hosts"
BOOTS = "A VM with UEFI, q35 and a card boots"
NEAR = "CPUs and memory of the VM are on the card's NUMA node"
PLACE = "The card is in the guest where OpenNebula says"
PROFILE = "A site's vGPU profile is given"
DRIVER = "The driver loads and answers for the card"
SIGNED = "Secure Boot loads the modules that an enrolled key signed"
MIG = "A card is split into MIG instances"
CONTAINERS = "A container runtime reaches the card through CDI"
FRAMEWORKS = "PyTorch, JAX and TensorFlow compute on the card, as apps"
ERRORS = "ECC and Xid errors of a real card are told"
NVSWITCH = "Cards behind NVSwitch compute, or it is said why not"
ROUND = "A round is trained on the GPU, and its metrics name the device"


@dataclass(frozen=True)
class Promise:
    """One promise.

    Attributes:
        sentence: What is promised.
        tests: `file::function` of pytest, or a file of molecule.
        hardware: The rows of "Needs hardware" that prove the rest.
    """

    sentence: str
    tests: tuple[str, ...]
    hardware: tuple[str, ...] = ()


PROMISES = [
    Promise(
        "Facts of GPUs, IOMMU groups, NUMA, SR-IOV, MIG, firmware, kernel command line and Secure Boot, read only.",
        (f"{_FACTS}::test_a_machine_is_read_and_judged", f"{_QEMU}::test_the_facts_are_those_of_the_machine"),
        (FACTS_OF_A_CARD, FUNCTIONS, SPLITS),
    ),
    Promise(
        "Why passthrough would or would not work, each with the cure.",
        (f"{_FACTS}::test_every_problem_comes_with_a_cure",),
    ),
    Promise(
        "The kernel command line has what Intel needs, and nothing for AMD.",
        (
            f"{_HOST}::test_an_intel_host_gets_its_parameter_where_its_distribution_has_it",
            f"{_QEMU}::test_a_permitted_run_reboots_once_and_binds_the_card_by_its_address",
            f"{_QEMU_AMD}::test_an_amd_host_needs_no_parameter_and_modprobe_binds_before_other_drivers",
        ),
    ),
    Promise(
        "Cards are bound to vfio-pci early and by address, through driverctl or rules of modprobe.",
        (
            f"{_UNDO}::test_devices_are_bound_and_given_back_by_address",
            f"{_FILES}::test_one_of_two_cards_of_a_kind_is_bound_by_modprobe",
            f"{_QEMU}::test_a_permitted_run_reboots_once_and_binds_the_card_by_its_address",
        ),
        (BOUND,),
    ),
    Promise(
        "The audio and USB functions of a card go with it.",
        (f"{_HOST}::test_every_function_of_a_card_goes_with_it_by_address",),
        (BOUND,),
    ),
    Promise(
        "A group with other devices is refused, and the override is asked for.",
        (
            f"{_QEMU}::test_a_shared_group_and_the_boot_display_are_refused",
            f"{_HOST}::test_the_override_never_takes_what_a_host_lives_on",
        ),
    ),
    Promise(
        "Blacklists and initramfs by each distribution's own tools, once.",
        (f"{_FILES}::test_a_host_is_written_once_and_by_its_own_tools",),
        (DISTRIBUTIONS,),
    ),
    Promise(
        "A host is rebooted only when it has to be and may be, and never under its VMs.",
        (
            f"{_QEMU}::test_check_mode_predicts_and_a_run_without_permission_only_writes",
            f"{_QEMU}::test_a_second_run_changes_nothing",
            f"{_HOST}::test_no_host_is_rebooted_under_its_vms",
        ),
    ),
    Promise(
        "Neither the boot display nor a device that a VM uses is taken.",
        (
            f"{_QEMU}::test_a_shared_group_and_the_boot_display_are_refused",
            f"{_QEMU_AMD}::test_what_a_vm_uses_is_not_taken_away",
        ),
        (CONSOLE,),
    ),
    Promise(
        "Undo restores the host.",
        (f"{_QEMU}::test_undoing_restores_the_host_with_a_reboot_of_its_own",),
        (GIVEN_BACK,),
    ),
    Promise(
        "PCI filters are merged without losing any, and the host is monitored until its devices are in the pool.",
        (
            f"{_OPENNEBULA}::test_from_a_hidden_card_to_the_pool_and_back",
            f"{_OPENNEBULA}::test_a_card_that_does_not_come_is_named",
            "tests/unit/plugins/modules/test_host_pci_filter.py::test_entries_join_those_of_the_host",
            "tests/unit/plugins/modules/test_host_info.py::test_devices_are_waited_for",
        ),
        (POOL, SYNC),
    ),
    Promise(
        "MIG instances are made by the driver's own tool.",
        (f"{_BOOT}::test_instances_are_made_once", _MOLECULE),
        (MIG,),
    ),
    Promise(
        "vGPU is refused with the licence reason, and a site may ask for a PROFILE.",
        (
            f"{_HOST}::test_a_vgpu_is_refused_with_the_licence",
            f"{_PREFLIGHT}::test_devices_match_as_oned_matches_them",
        ),
        (PROFILE,),
    ),
    Promise(
        "SuperNodes of a site are alike: what the VMs were made with counts, whatever is asked for since.",
        (
            f"{_PREFLIGHT}::test_a_site_that_was_made_with_another_number_stays_so_and_says_so",
            f"{_PREFLIGHT}::test_none_is_no_request_for_supernodes_that_have_some",
            "tests/unit/plugins/modules/test_site_preflight.py"
            "::test_what_the_vms_were_made_with_counts_after_their_template_was_emptied",
        ),
    ),
    Promise(
        "A site's request becomes PCI, UEFI, q35, the host's CPU and pinned CPUs.",
        (
            f"{_SITE}::test_gpus_from_the_request_to_the_inventory",
            f"{_SITE}::test_pinned_cpus_need_an_administrator_whose_template_a_tenant_may_use",
        ),
        (BOOTS, NEAR, PLACE),
    ),
    Promise(
        "Preflight says which host lacks what before anything is created.",
        (f"{_PREFLIGHT}::test_each_host_is_told_of",),
    ),
    Promise(
        "A VM that no host can take is told in the scheduler's own words.",
        (
            f"{_SITE}::test_a_vm_that_no_host_takes_ends_with_the_schedulers_message",
            "tests/unit/plugins/modules/test_oneflow_service.py"
            "::test_a_vm_that_no_host_takes_is_told_in_the_schedulers_words",
            "tests/unit/plugins/module_utils/test_oneflow_placing.py"
            "::test_only_devices_that_no_host_has_end_a_wait_early",
        ),
    ),
    Promise(
        "A site without GPUs falls back to CPUs when that is allowed.",
        (f"{_SITE}::test_a_site_without_gpus_falls_back_and_stays_so",),
    ),
    Promise(
        "The driver comes from packages, of one pinned version, with open modules where the card wants them.",
        (
            f"{_DRIVER}::test_flavours_of_cards",
            f"{_DRIVER}::test_one_version_for_modules_and_libraries",
            _MOLECULE,
        ),
        (DRIVER,),
    ),
    Promise(
        "Secure Boot is handled by signed modules or refused.",
        (f"{_BOOT}::test_secure_boot_and_the_key_that_signs", _MOLECULE),
        (SIGNED,),
    ),
    Promise(
        "The persistence daemon runs; container toolkit and CDI come only with the container runtime.",
        (_MOLECULE,),
        (CONTAINERS,),
    ),
    Promise(
        "CUDA wheels by framework.",
        (f"{_DRIVER}::test_requirements_of_frameworks",),
        (FRAMEWORKS,),
    ),
    Promise(
        "CUDA_VISIBLE_DEVICES is set only to restrict; memory fraction and growth are settings.",
        (
            f"{_UNITS}::test_apps_reach_the_gpus_and_nothing_sets_what_hides_them",
            f"{_UNITS}::test_visible_devices_restrict",
        ),
    ),
    Promise(
        "Driver, count against the inventory, a matrix product, ECC and Xid errors are published as facts.",
        (
            f"{_REPORT}::test_a_card_that_is_missing",
            f"{_REPORT}::test_the_matrix_product",
            f"{_REPORT}::test_what_is_wrong_with_a_card_blocks_and_what_was_wrong_warns",
            f"{_REPORT}::test_xid_errors_of_cards_block_and_those_of_apps_warn",
        ),
        (ERRORS, FRAMEWORKS, NVSWITCH),
    ),
    Promise("The node-config tells the app what it has.", (f"{_REPORT}::test_what_apps_are_told",)),
    Promise(
        "The stand-in's scheduler gives devices, and refuses, as the recorded server.",
        (
            "tests/unit/lab/test_standin_gpus.py::test_devices_are_given_in_the_order_of_their_addresses",
            "tests/unit/lab/test_standin_gpus.py::test_what_each_host_lacks",
        ),
    ),
    Promise(
        "gpu_validate.yml judges every layer though one fails, with its cure, as a table and as JSON.",
        (
            f"{_ROWS}::test_one_fault_is_one_row_with_its_cure",
            f"{_ROWS}::test_the_table_is_readable_at_100_columns",
            "tests/faults/test_gpu_validate.py::test_no_layer_that_fails_hides_another",
        ),
    ),
    Promise(
        "One round is trained on every node's GPU with its device named in the run's metrics.",
        (
            f"{_ROUND}::test_gpu_validate_trains_a_round_and_names_every_device",
            "tests/gpu/test_round_frameworks.py::test_jax_computes_what_numpy_does",
            "tests/unit/apps/test_gpu_round.py::test_the_gpus_that_a_framework_sees_are_named",
        ),
        (ROUND,),
    ),
    Promise(
        "A node that promises a GPU and has none refuses to train.",
        (
            f"{_ROUND}::test_the_refusal_of_a_node_that_promises_a_gpu_is_a_failure_with_its_cause",
            "tests/unit/apps/test_gpu_round.py::test_a_promised_gpu_that_the_framework_does_not_see_is_refused",
        ),
    ),
    Promise(
        "A federation without any GPU fails, unless CPUs are allowed.",
        (
            f"{_ROWS}::test_a_federation_without_gpus_fails_unless_that_is_allowed",
            f"{_ROUND}::test_the_refusal_of_a_federation_without_gpus_submits_nothing",
        ),
    ),
]

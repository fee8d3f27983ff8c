# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

export LC_ALL := C.UTF-8
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

# Played by a suite of their own, as CI has 30 minutes.
LAB_NETWORKS := $(addprefix tests/integration/lab/test_,guards.py nat.py segments.py)
APPLIANCE_SERVICE := tests/integration/test_appliance_service.py
GPU_TESTS := tests/integration/test_gpu_opennebula.py tests/integration/flower/test_gpu_round.py
PLAYBOOK := .venv/bin/ansible-playbook
INVENTORY ?= inventories/lab
# Passed on to ansible-playbook and to pytest, e.g. make site ARGS="--check --diff".
ARGS ?=

##@ The main job
.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' Makefile

.PHONY: lab
lab: venv ## Set up everything, start the two-site lab, deploy the federation, train, report
	$(PLAYBOOK) playbooks/lab.yml
	$(PLAYBOOK) -i inventories/lab playbooks/site.yml
	$(PLAYBOOK) -i inventories/lab playbooks/poc.yml
	@echo "The report: /var/lib/fact8ra-lab/controller/poc/report/report.html"

.PHONY: test
test: venv ## Run every check, from lint to a federation trained end to end; what CI runs
	.venv/bin/python tools/stages.py

.PHONY: test-all
test-all: venv ## Run every check of `test` and the long suites that CI leaves out
	.venv/bin/python tools/stages.py --long

.PHONY: clean
clean: ## Remove everything that the other targets left, but for the caches
	tools/clean.sh

.PHONY: appliance
appliance: venv ## Build the images of the appliances; ARGS="-e '{appliance_images: [...]}'" for others
	tools/need.sh mmdebstrap:mmdebstrap qemu-img:qemu-utils mkfs.vfat:dosfstools mcopy:mtools sfdisk:fdisk mke2fs:e2fsprogs
	$(PLAYBOOK) playbooks/appliance.yml $(ARGS)

.PHONY: lab-packages
lab-packages: venv
	.venv/bin/ansible localhost -m ansible.builtin.include_role -a "name=fact8ra.flower.lab tasks_from=install.yml"

##@ The running lab
.PHONY: site
site: venv ## Bring the federation to what INVENTORY says (default: the lab's)
	$(PLAYBOOK) -i $(INVENTORY) playbooks/site.yml $(ARGS)

.PHONY: poc
poc: venv ## Train the proof of concept and report, on INVENTORY
	$(PLAYBOOK) -i $(INVENTORY) playbooks/poc.yml $(ARGS)

##@ The checks, one by one
.PHONY: lint
lint: dev-venv ## Linters, types, licences, docs and the repository's own rules
	.venv-dev/bin/python tools/lint.py $(ARGS)

.PHONY: sanity
sanity: dev-venv ## ansible-test sanity
	tools/sanity.sh $(ARGS)

.PHONY: units
units: dev-venv flwr-venv ## Unit tests
	tools/need.sh curl:curl jq:jq nft:nftables systemd-analyze:systemd
	tools/units.sh $(ARGS)

.PHONY: contract
contract: dev-venv ## The stand-in against the recorded answers of OpenNebula
	tools/pytest.sh tests/contract $(ARGS)

.PHONY: integration
integration: dev-venv flwr-venv lab-packages ## The modules and the inventory plugin, as playbooks against the stand-in
	tools/unpack.sh nginx
	tools/pytest.sh tests/integration/lab $(LAB_NETWORKS:%=--ignore=%) $(ARGS)
	tools/pytest.sh tests/integration --ignore=tests/integration/lab $(GPU_TESTS:%=--ignore=%) --ignore=$(APPLIANCE_SERVICE) -n 3 --dist loadgroup -k "not refusal" $(ARGS)

.PHONY: refusals
refusals: dev-venv flwr-venv ## SuperNodes that real Flower refuses, each with its cause
	tools/pytest.sh tests/integration/flower -k refusal $(ARGS)

.PHONY: lab-networks
lab-networks: dev-venv lab-packages ## NAT, tenants' networks and security groups of the lab, packet by packet
	tools/pytest.sh $(LAB_NETWORKS) $(ARGS)

.PHONY: faults
faults: dev-venv ## Bad input and faults on the way to VMs, against stand-ins
	tools/pytest.sh tests/faults -n 3 $(ARGS)

.PHONY: molecule
molecule: dev-venv lab-packages ## The roles on booted hosts; ARGS="SCENARIO..." for others
	tools/molecule.sh $(or $(ARGS),pki superlink supernode)

.PHONY: molecule-trust
molecule-trust: dev-venv lab-packages ## Firewall, tunnels and the way to the Control API on booted hosts
	tools/molecule.sh $(or $(ARGS),access firewall transport)

.PHONY: molecule-gpu
molecule-gpu: dev-venv lab-packages ## GPUs of a SuperNode on a booted host, with stand-ins for card and driver
	tools/molecule.sh $(or $(ARGS),nvidia_guest)

.PHONY: test-gpu
test-gpu: dev-venv flwr-venv ## GPU passthrough on an emulated hypervisor that reboots, without a GPU
	tools/need.sh mmdebstrap:mmdebstrap qemu-img:qemu-utils qemu-system-x86_64:qemu-system-x86 ssh:openssh-client
	tools/pytest.sh tests/gpu $(GPU_TESTS) -x -n 2 --dist loadfile --durations 0 --durations-min 1 $(ARGS)

.PHONY: test-appliance
test-appliance: dev-venv lab-packages ## The appliances, from their build to a trained model: booted under QEMU, and as hosts of a lab
	tools/need.sh mmdebstrap:mmdebstrap qemu-img:qemu-utils mkfs.vfat:dosfstools mcopy:mtools sfdisk:fdisk mke2fs:e2fsprogs \
		qemu-system-x86_64:qemu-system-x86 ssh:openssh-client genisoimage:genisoimage
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || tools/need.sh :ovmf
	tools/pytest.sh $(APPLIANCE_SERVICE) tests/appliance -x --durations 0 --durations-min 1 -s $(ARGS)

.PHONY: test-containers
test-containers: dev-venv lab-packages ## The services in containers under podman, on booted hosts, and the way from there and back
	tools/need.sh mmdebstrap:mmdebstrap ssh:openssh-client
	tools/pytest.sh tests/containers -x --durations 0 --durations-min 1 $(ARGS)

.PHONY: e2e
e2e: dev-venv flwr-venv ## The federation from nothing to a trained model, and back
	tools/need.sh tshark:tshark
	tools/pytest.sh tests/e2e $(ARGS)

.PHONY: adversarial
adversarial: dev-venv flwr-venv ## Try to break every promise of docs/security.md in the lab; prints promise, attempt and outcome
	tools/pytest.sh tests/adversarial $(ARGS)

.PHONY: coverage
coverage: dev-venv ## Lines and branches that the unit tests reach
	COVERAGE_FILE=build/.coverage PYTEST="coverage run -m pytest" tools/pytest.sh tests/unit -q -m "not flwr" $(ARGS)
	COVERAGE_FILE=build/.coverage .venv-dev/bin/coverage report

.PHONY: bench
bench: dev-venv peer-venv ## Benchmarks, printing ratios; ARGS="NAME..." for some of them
	.venv-dev/bin/python tests/bench/run.py $(ARGS)

##@ Making things
.PHONY: docs
docs: dev-venv ## Write the roles' README files, and what a tenant may set, from the argument specs
	.venv-dev/bin/python tools/role_docs.py
	.venv-dev/bin/python tools/context_table.py

.PHONY: marketplace
marketplace: dev-venv ## Write the marketplace's apps of a build; ARGS="--build=DIRECTORY --url=URL"
	PYTHONPATH=roles/lab/files .venv-dev/bin/python tools/marketplace.py $(ARGS)

.PHONY: dist
dist: venv ## Build the collection's archive into build/
	tools/dist.sh

.PHONY: importer
importer: dist .venv-importer/.ready ## Check the archive as Galaxy does
	tools/importer.sh

.PHONY: changelog
changelog: dev-venv ## Release: fold the fragments into CHANGELOG.md
	tools/changelog.sh

.PHONY: lock
lock: venv ## Resolve requirements/*.in into the lock files anew
	tools/lock.sh

##@ Environments
.PHONY: venv
venv: .venv/.ready .collections/ansible_collections/fact8ra/flower ## The runtime environment .venv
.PHONY: dev-venv
dev-venv: venv .venv-dev/.ready ## The tools of the checks, .venv-dev
.PHONY: flwr-venv
flwr-venv: venv .venv-flwr/.ready ## Flower as on the nodes, .venv-flwr
.PHONY: peer-venv
peer-venv: venv .venv-peer/.ready ## community.general, which a benchmark compares with, .venv-peer

.venv/.ready: requirements.txt tools/bootstrap.sh tools/venv.sh
	tools/bootstrap.sh .venv

.venv-dev/.ready: requirements-dev.txt .venv/.ready
	tools/need.sh shellcheck:shellcheck
	tools/venv.sh .venv-dev $<

.venv-flwr/.ready: requirements-flwr.txt .venv/.ready
	tools/venv.sh .venv-flwr $< --compile-bytecode

.venv-importer/.ready: requirements-importer.txt .venv/.ready
	tools/venv.sh .venv-importer $<

.venv-peer/.ready: requirements-peer.txt .venv/.ready
	tools/venv.sh .venv-peer $<

.collections/ansible_collections/fact8ra/flower:
	tools/link_collection.sh

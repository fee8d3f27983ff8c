#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Makes fact8ra.flower.<name> resolve to this checkout (ansible.cfg: collections_path = .collections).
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .collections/ansible_collections/fact8ra
ln -sfn ../../.. .collections/ansible_collections/fact8ra/flower

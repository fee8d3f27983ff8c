#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Builds the collection's archive into build/dist, from the files that git knows or does not ignore.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/collection_tree.sh
rm -rf build/dist
.venv/bin/ansible-galaxy collection build build/ansible_collections/fact8ra/flower --output-path build/dist

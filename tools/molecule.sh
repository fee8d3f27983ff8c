#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Runs the molecule scenarios, or those named: tools/molecule.sh [SCENARIO...]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH=$root/.venv-dev/bin:$PATH LC_ALL=C.UTF-8 ANSIBLE_CONFIG=$root/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH=$root/.collections

if [ $# -eq 0 ]; then
    mapfile -t scenarios < <(find extensions/molecule -mindepth 2 -maxdepth 2 -name molecule.yml -printf '%h\n' | xargs -r -n1 basename | sort)
    set -- "${scenarios[@]}"
fi
passed=0 failed=0
for scenario in "$@"; do
    started=$SECONDS
    if (cd extensions && molecule test --scenario-name "$scenario"); then
        passed=$((passed + 1)) verdict=ok
    else
        failed=$((failed + 1)) verdict=FAILED
    fi
    echo "molecule scenario $scenario: $verdict in $((SECONDS - started)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Runs the molecule scenarios, or those named, two at a time since they mostly wait: tools/molecule.sh [SCENARIO...]
# What several print goes to build/logs/molecule-SCENARIO.log, and to the terminal when a scenario has failed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH=$root/.venv-dev/bin:$PATH LC_ALL=C.UTF-8 ANSIBLE_CONFIG=$root/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH=$root/.collections

if [ $# -eq 0 ]; then
    mapfile -t scenarios < <(find extensions/molecule -mindepth 2 -maxdepth 2 -name molecule.yml -printf '%h\n' | xargs -r -n1 basename | sort)
    set -- "${scenarios[@]}"
fi
mkdir -p build/logs
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# play SCENARIO LOG: appends the scenario's verdict to the results; an empty LOG prints as it goes.
play() {
    local started=$SECONDS verdict=ok
    if [ -n "$2" ]; then
        (cd extensions && molecule test --scenario-name "$1") >"$2" 2>&1 </dev/null || verdict=FAILED
        [ "$verdict" = ok ] || cat "$2"
    else
        (cd extensions && molecule test --scenario-name "$1") || verdict=FAILED
    fi
    echo "molecule scenario $1: $verdict in $((SECONDS - started)) s" | tee -a "$results"
}

if [ $# -eq 1 ]; then
    play "$1" ""
else
    for scenario in "$@"; do
        while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n || true; done
        play "$scenario" "build/logs/molecule-$scenario.log" &
    done
    wait
fi
passed=$(grep -c ': ok in' "$results" || true)
failed=$(($# - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

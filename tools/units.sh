#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# The unit tests: with the tools' environment on all cores, then those marked `flwr` with Flower's own.
# Arguments go to pytest, e.g. tools/units.sh -k vnet
set -euo pipefail
cd "$(dirname "$0")/.."

# run COMMAND...: keeps pytest's "nothing collected" (5) from failing the pass that a -k leaves empty.
status=0 collected=0
run() {
    local code=0
    "$@" || code=$?
    [ "$code" -eq 5 ] || collected=1
    [ "$code" -eq 0 ] || [ "$code" -eq 5 ] || status=$code
}

run tools/pytest.sh tests/unit -n auto -m "not flwr" --junitxml build/reports/units.xml "$@"
# Only the files that need it: others may import what its environment lacks.
mapfile -t flwr_files < <(grep -rl --include='test_*.py' 'mark\.flwr' tests/unit)
run tools/flwr_pytest.sh "${flwr_files[@]}" -m flwr --junitxml build/reports/units-flwr.xml "$@"
[ "$collected" -eq 1 ] || { echo "units: no test fits $*" >&2; exit 5; }
exit "$status"

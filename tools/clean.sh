#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Removes everything that the make targets left, but for the caches, and verifies that nothing of it is there any more.
set -euo pipefail
cd "$(dirname "$0")/.."
state=/var/lib/fact8ra-lab
# The lab of the appliances is beside the other one (tests/support/appliance_world.py).
appliances=/var/lib/fact8ra-appliance-lab
caches=(/var/cache/fact8ra-lab /var/cache/fact8ra-appliance "${XDG_CACHE_HOME:-$HOME/.cache}/fact8ra.flower")

# remains: what of the lab is on this machine, one line each.
remains() {
    for directory in "$state" "$appliances"; do
        [ ! -e "$directory" ] || echo "directory $directory"
    done
    # The first argument of awk must not be in its own command line as a whole.
    ps -eo pid=,args= | awk '/[f]act8ra_lab|[f]act8ra-lab\// {print "process " $0}'
    awk -v states="^($state|$appliances)" '$5 ~ states {print "mount " $5}' /proc/self/mountinfo
    find /run/netns -mindepth 1 -maxdepth 1 -name 'f8-*' -printf 'network namespace %f\n' 2>/dev/null || true
    ip -brief link 2>/dev/null | awk '$1 ~ /^(f8|br-site)/ {print "network interface " $1}'
    ip route 2>/dev/null | awk '/^10\.71\./ {print "route " $0}'
}

if [ -n "$(remains)" ]; then
    [ -x .venv/bin/ansible-playbook ] || make --no-print-directory venv
    for directory in "$state" "$appliances"; do
        .venv/bin/ansible-playbook playbooks/lab.yml --extra-vars lab_state=absent \
            --extra-vars "lab_state_directory=$directory"
    done
fi

find . -path ./.git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
rm -rf .venv .venv-dev .venv-flwr .venv-importer .venv-peer .collections .ansible build collections tests/output \
    .mypy_cache .pytest_cache .ruff_cache .coverage

left=$(remains)
if [ -n "$left" ]; then
    printf 'clean: this is still there:\n%s\n' "$left" >&2
    exit 1
fi
echo "Nothing is left of the environments, the build and the lab."
for cache in "${caches[@]}"; do
    [ ! -d "$cache" ] || echo "Kept for the next time: $cache ($(du -sh "$cache" | cut -f1)); rm -rf $cache removes it."
done

#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Checks the archive in build/dist: Galaxy's importer takes it, and it installs and documents itself without the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
archive=$(echo build/dist/*.tar.gz)
log=build/importer.log
passed=0

# ansible-lint runs in `make lint`; the importer would install another version of it.
cat >build/importer.cfg <<'EOF'
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_LINT = False
RUN_FLAKE8 = False
EOF
# The importer leaves its result in the working directory.
import_archive() {
    cd build
    PATH=$PWD/../.venv-importer/bin:$PATH GALAXY_IMPORTER_CONFIG=importer.cfg \
        ../.venv-importer/bin/python -m galaxy_importer.main "../$archive"
}
if ! (import_archive) >"$log" 2>&1 || grep -qE '^(ERROR|WARNING)' "$log"; then
    cat "$log"
    echo "0 passed, 1 failed"
    exit 1
fi
passed=$((passed + 1))

# Away from the checkout, where ansible.cfg would find the collection itself.
export ANSIBLE_COLLECTIONS_PATH=$PWD/build/installed
unset ANSIBLE_CONFIG
rm -rf build/installed
(cd build && ../.venv/bin/ansible-galaxy collection install --offline --collections-path installed "../$archive")
for kind in module inventory filter role; do
    names=$(cd build && ../.venv/bin/ansible-doc --type "$kind" --list --json fact8ra.flower |
        ../.venv/bin/python -c 'import json, sys; print(*json.load(sys.stdin))')
    for name in $names; do
        (cd build && ../.venv/bin/ansible-doc --type "$kind" --json "$name" >/dev/null)
        passed=$((passed + 1))
    done
done
echo "$passed passed, 0 failed"

#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# pytest with the environment that the tests expect. Usage: tools/pytest.sh DIRECTORY [pytest options]
#   FACT8RA_FLWR_PYTHON   the interpreter with Flower installed (make flwr-venv)
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv-dev/bin:$PATH LC_ALL=C.UTF-8
export ANSIBLE_CONFIG=$PWD/ansible.cfg FACT8RA_FLWR_PYTHON=$PWD/.venv-flwr/bin/python
# A user's settings for a real OpenNebula must not reach a test.
for name in $(compgen -e | grep -E '^(ONE|ONEFLOW|OPENNEBULA)_' || true); do
    [ -n "${FACT8RA_LIVE:-}" ] || unset "$name"
done
# shellcheck disable=SC2086 # PYTEST holds several words
exec ${PYTEST:-python -m pytest} "$@"

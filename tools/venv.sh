#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Brings the virtual environment VENV to exactly what the lock file says, with hashes checked.
# Usage: tools/venv.sh VENV LOCKFILE [uv pip sync options]      needs .venv/bin/uv (tools/bootstrap.sh)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 lock=$2
shift 2
uv=.venv/bin/uv
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python .venv/bin/python "$venv"
"$uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "$@" "$lock"
touch "$venv/.ready"

#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Makes the runtime environment from requirements.txt, on a machine that may have nothing but make.
# Usage: tools/bootstrap.sh VENV      PYTHON=... chooses the interpreter (3.11 to 3.13).
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1

fail() {
    printf 'bootstrap: %s\n' "$*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
        # A pyenv shim exists for versions that are not active; only running one tells.
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13"
    done
    return 1
}

tools/need.sh git:git ssh:openssh-client python3:python3
python=$(find_python) || fail "no Python 3.11, 3.12 or 3.13 found; name one with PYTHON=/path/to/python3.11"
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    tools/need.sh ":$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi

if [ ! -x "$venv/bin/uv" ]; then
    uv_version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.txt)
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip -qq --disable-pip-version-check install "uv==$uv_version" ||
        fail "pip could not install uv $uv_version; is the package index reachable?"
fi
tools/venv.sh "$venv" requirements.txt

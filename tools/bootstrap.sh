#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Makes the runtime environment .venv from requirements.txt, on a machine that may have nothing but make.
# As root on Debian or Ubuntu it installs what is missing; otherwise it says what to install and stops.
# Usage: tools/bootstrap.sh [VENV]      PYTHON=... chooses the interpreter (3.11 to 3.13).
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
uv_version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.txt)

fail() {
    printf 'bootstrap: %s\n' "$*" >&2
    exit 1
}

# apt_install PACKAGE...: installs them, or says what to install.
apt_install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "missing on this machine: $*. Install them (Debian: apt-get install $*) and run make again."
    fi
    printf 'bootstrap: installing %s\n' "$*" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq || fail "apt-get update failed; are the Debian mirrors reachable?"
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null || fail "apt-get could not install $*"
}

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
        usable "$candidate" && command -v "$candidate" && return
    done
    return 1
}

missing=()
for pair in git:git ssh:openssh-client; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if ! find_python >/dev/null; then
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13"
    missing+=(python3)
fi
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
python=$(find_python) || fail "no Python 3.11, 3.12 or 3.13 found; name one with PYTHON=/path/to/python3.11"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    apt_install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi

if [ ! -x "$venv/bin/uv" ]; then
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check install "uv==$uv_version" ||
        fail "pip could not install uv $uv_version; is the package index reachable?"
fi
tools/venv.sh "$venv" requirements.txt

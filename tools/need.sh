#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Sees to commands from Debian packages: as root on Debian or Ubuntu it installs what is missing,
# otherwise it says what to install and fails. Usage: tools/need.sh COMMAND:PACKAGE...     (no COMMAND: always install)
set -euo pipefail
missing=()
for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing on this machine: ${missing[*]}. Install them (Debian: apt-get install ${missing[*]}) and run make again." >&2
    exit 1
fi
echo "Installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt_install() { apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null; }
# The package lists of a fresh machine are missing or old.
apt_install >/dev/null 2>&1 || { apt-get update -qq && apt_install >/dev/null; }

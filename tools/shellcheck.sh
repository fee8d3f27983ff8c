#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Runs shellcheck over every shell script of the repository, known by its first line.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard |
    xargs -0 awk 'FNR == 1 && /^#!.*(bash|sh)$/ {printf "%s%c", FILENAME, 0} {nextfile}' |
    xargs -0 shellcheck --external-sources

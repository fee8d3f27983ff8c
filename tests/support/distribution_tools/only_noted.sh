# A fake of a tool that is not to act on the host of the tests: it notes that it was called.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
set -eu
PATH=/usr/bin:/bin
root=$(dirname "$(dirname "$0")")
echo "${0##*/}${*:+ }$*" >> "$root/calls"

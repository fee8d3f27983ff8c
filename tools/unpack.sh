#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Fetches a Debian package and unpacks it into build/packages/NAME without installing it, for a server that would be started
# by its installation. Usage: tools/unpack.sh NAME
set -euo pipefail
cd "$(dirname "$0")/.."
target=build/packages/$1
[ ! -d "$target" ] || exit 0
# The package lists of a fresh machine are missing or old.
mkdir -p build/packages
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
chmod 755 "$fetched"
fetch() { (cd "$fetched" && apt-get -qq download "$1" >/dev/null 2>&1); }
fetch "$1" || { apt-get update -qq && fetch "$1"; }
dpkg-deb --extract "$fetched"/*.deb "$target.new"
mv "$target.new" "$target"

#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Copies the checkout to build/ansible_collections/fact8ra/flower, as ansible-test and mypy want it (a link will not do).
# What ansible-test keeps in the copy's tests/output survives; files gone from the checkout go.
set -euo pipefail
cd "$(dirname "$0")/.."
target=build/ansible_collections/fact8ra/flower
mkdir -p "$target"
# Two checks may run at the same time.
exec 9>build/.collection_tree.lock
flock 9
# ansible-test asks the nearest repository for its files, and the checkout's ignores build/.
[ -d "$target/.git" ] || git init --quiet "$target"

files=$(mktemp)
trap 'rm -f "$files"' EXIT
# Files deleted from the work tree are still listed by git until the deletion is committed.
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' name; do [ ! -e "$name" ] || printf '%s\0' "$name"; done | LC_ALL=C sort -uz >"$files"

(cd "$target" && find . \( -path ./tests/output -o -path ./.git \) -prune -o \( -type f -o -type l \) -printf '%P\0') |
    LC_ALL=C sort -z | LC_ALL=C comm -z -23 - "$files" | (cd "$target" && xargs -0 --no-run-if-empty rm -f --)
find "$target" -mindepth 1 -type d -empty -not -path "$target/tests/output/*" -not -path "$target/.git/*" -delete
# What is there already stays as it is, since another check may be reading it.
xargs -0 --no-run-if-empty cp --parents --update --preserve=mode,timestamps -t "$target" <"$files"

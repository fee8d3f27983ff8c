#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Releases the version of galaxy.yml: folds changelogs/fragments into changelogs/changelog.yaml and CHANGELOG.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv-dev/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$PWD/.collections
version=$(sed -n 's/^version: *//p' galaxy.yml)
antsibull-changelog lint
if grep -qE "^  $version:" changelogs/changelog.yaml 2>/dev/null; then
    # Before it is tagged, a release is made anew from its fragments.
    antsibull-changelog generate --reload-plugins
else
    antsibull-changelog release --version "$version" --reload-plugins
fi

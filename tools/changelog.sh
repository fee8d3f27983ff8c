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
# Until its tag, a release may be made again, with what has come since.
antsibull-changelog release --version "$version" --update-existing --reload-plugins

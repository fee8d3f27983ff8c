#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# Resolves requirements/*.in into the lock files. Without arguments versions stay as they are where they still fit;
# `tools/lock.sh --upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() {
    local input=$1 output=$2
    shift 2
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "make lock" "requirements/$input.in" --output-file "$output" "$@"
}

appliance() {
    # Not universal, as pip judges markers by the Python that it runs under, and the images are all of Debian 12.
    "$uv" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_36 --generate-hashes --no-annotate \
        --custom-compile-command "make lock" "requirements/$1.in" --output-file "roles/appliance/files/requirements/$2.txt" "${@:3}"
}

compile runtime requirements.txt "$@"
compile dev requirements-dev.txt --constraint requirements.txt "$@"
compile flwr requirements-flwr.txt "$@"
compile importer requirements-importer.txt "$@"
compile peer requirements-peer.txt --constraint requirements.txt "$@"
appliance appliance ansible --constraint requirements.txt "$@"
appliance appliance-flower flower "$@"
appliance appliance-sklearn sklearn "$@"
appliance appliance-pytorch pytorch "$@"

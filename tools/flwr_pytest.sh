#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# pytest with Flower's environment instead of the tools'. Usage: tools/flwr_pytest.sh DIRECTORY [pytest options]
set -euo pipefail
cd "$(dirname "$0")/.."
# Flower would send usage data and look for updates.
export PATH=$PWD/.venv-flwr/bin:$PATH LC_ALL=C.UTF-8 FLWR_TELEMETRY_ENABLED=0
exec python -m pytest "$@"

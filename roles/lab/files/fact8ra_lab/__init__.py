# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab: sites, hosts and stand-in OpenNebula endpoints on one computer, for trial and test."""

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for OpenNebula, held to the contract recorded from a live OpenNebula 7.4.0; it is not OpenNebula.

One process answers XML-RPC (``/RPC2``), OneFlow REST and OneGate for one site of the lab. It keeps users, groups,
rights, quotas, networks, images, templates, VMs and services on disk, and gives VMs to a driver: ``nspawn`` boots
Debian machines, ``none`` starts nothing. ``tests/contract`` replays the recording against it.
"""

# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a site offers, held against what a federation asks of it.

Private to the collection: it may change without notice.

Reading (C(offer.collect)) and judging (C(judge.problems), C(gpus.judge)) are apart, so that every judgement can be
tested without a server.
"""

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a rule of the firewall holds, it is refused in plain words or becomes statements of known words alone."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.plugin_utils._firewall import BadRule, rule_of, statements

_RULE = {"chain": "output", "protocol": "tcp", "ports": [443], "destinations": ["192.0.2.1"], "reason": "web"}
_WORDS = re.compile(
    r"(meta skuid [0-9, {}]+ |meta nfproto ipv[46] )*(ip6? daddr [0-9a-f.:/, {}]+ )?((tcp|udp) [sd]port [0-9, {}-]+ )*"
    r"(icmp(v6)? type [a-z0-9, {}-]+ (ip6 hoplimit 255 )?)?(limit rate 5/second burst 10 packets )?"
    r"counter accept comment \"[A-Za-z0-9 .,:/()_+@=-]{3,100}\""
)
_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"[0-9./:-]{1,20}")
    | st.sampled_from(["any", "root", "22; accept", "web\naccept", '" accept', "udp", "all", "icmpv6", "echo-request"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from([*_RULE, "sources", "user", "users", "types", "source_ports", "limit", "hosts", "x"]),
        _anything,
        max_size=3,
    )
)
def test_any_object_is_judged_and_harmless(change: dict[str, Any]) -> None:
    said, lines = "", []
    try:
        lines = [line for found in statements([rule_of(_RULE | change)], {"root": 0}).values() for line in found]
    except BadRule as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) < 400
    assert all(_WORDS.fullmatch(line) for line in lines)

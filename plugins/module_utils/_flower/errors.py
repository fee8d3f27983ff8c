# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Errors and their causes in words. Private to this collection; it may change without notice."""

from __future__ import annotations

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError


class FlowerFailure(OpenNebulaError):
    """What a user is told when something about Flower does not work; `code` is a word that a playbook may test."""

    def __init__(self, code: str, message: str, details: dict[str, object] | None = None) -> None:
        super().__init__(message, code=code, details=details)


_NAMES = "set superlink_address to one that it names, or add this one to pki_superlink_names or _addresses"

# Text of OpenSSL or of the socket layer -> (code, cause and remedy). The order matters: first match wins.
_CONNECTION_CAUSES = (
    ("certificate has expired", "tls_expired", "its certificate has expired; playbook site.yml installs a new one"),
    ("not yet valid", "tls_not_yet_valid", "its certificate is not valid yet; is a clock wrong?"),
    ("address mismatch", "tls_name", f"its certificate does not name the address that was dialled; {_NAMES}"),
    ("hostname mismatch", "tls_name", f"its certificate does not name the host that was dialled; {_NAMES}"),
    ("doesn't match", "tls_name", f"its certificate does not name the host that was dialled; {_NAMES}"),
    (
        "certificate_verify_failed",
        "tls_authority",
        "no authority in the root certificates file issued its certificate; playbook site.yml installs both",
    ),
    ("wrong_version_number", "tls_plain", "it does not speak TLS on this port"),
    ("record layer failure", "tls_plain", "it does not speak TLS on this port"),
    ("timed out", "timeout", "no answer came in time; does a firewall or a security group block the port?"),
    ("ssl", "tls", "the TLS handshake failed"),
    (
        "connection refused",
        "refused",
        "nothing listens there; is the unit flower-superlink running, and nginx where SuperNodes dial?",
    ),
    ("name or service not known", "name_unknown", "the name cannot be resolved"),
    ("temporary failure in name resolution", "name_unknown", "the name cannot be resolved"),
    ("no route to host", "no_route", "no route leads there"),
    ("network is unreachable", "no_route", "no route leads there"),
)  # fmt: skip


def connection_cause(text: str) -> tuple[str, str]:
    """Translate the text of a failed connection.

    Args:
        text: What the TLS or socket layer said.

    Returns:
        A code and the cause in words, which completes "cannot reach HOST: ".
    """
    lowered = text.lower()
    for pattern, code, cause in _CONNECTION_CAUSES:
        if pattern in lowered:
            return code, f"{cause} ({text})"
    return "unreachable", text or "the connection failed"

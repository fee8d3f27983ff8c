# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where the connection options come from: what is given, the environment, OpenNebula's own file of credentials.

Private to the collection: it may change without notice.

The file is the one that OpenNebula's own tools read (src/oca/ruby/opennebula/lib/client.rb). They also fall back to
that of the user oneadmin, /var/lib/one/.one/one_auth, and pass over an ONE_AUTH that is not there; here neither is
done, since a task must not get other rights than it was given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

ENVIRONMENT = {
    "endpoint": ("ONE_URL", "ONE_XMLRPC", "OPENNEBULA_ENDPOINT"),
    "flow_endpoint": ("ONEFLOW_URL", "OPENNEBULA_FLOW_ENDPOINT"),
    "username": ("ONE_USERNAME", "OPENNEBULA_USERNAME"),
    "password": ("ONE_PASSWORD", "OPENNEBULA_PASSWORD"),
    "auth_file": ("ONE_AUTH",),
}
"""Options to the environment variables that stand in for them, the first one first; empty ones do not count."""
INSECURE = "OPENNEBULA_INSECURE"
"""Environment variable that switches the verification of certificates off."""
DEFAULT_AUTH_FILE = "~/.one/one_auth"
LIMITS = {"connect_timeout": 10.0, "read_timeout": 60.0}
"""Timeouts in seconds, where none is given."""
OPTIONS = (*ENVIRONMENT, "validate_certs", "ca_path", *LIMITS)
"""All connection options."""


def resolved(params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return all connection options, with what C(params) lacks filled in.

    User name and password are taken, each where it is first found, from the options C(username) and C(password), the
    file of the option C(auth_file), the variables for the name and the password, the file that ONE_AUTH names, and
    C(~/.one/one_auth) where it exists. A file is not read when both are found before it.

    Args:
        params: connection options of a module or plugin; None is the same as missing.
        environ: the environment, by default that of the process.

    Returns:
        C(endpoint), C(flow_endpoint) (both may be None), C(username), C(password), C(validate_certs), C(ca_path),
        C(connect_timeout) and C(read_timeout).

    Raises:
        InvalidInput: name or password are nowhere, or cannot be used; a file is missing or holds something else;
            OPENNEBULA_INSECURE is no boolean.
    """
    env = os.environ if environ is None else environ
    given = {name: params.get(name) for name in OPTIONS}
    for name in ("endpoint", "flow_endpoint"):
        if given[name] is None:
            given[name] = _variable(env, name)
    given["username"], given["password"] = _credentials(given, env)
    if given["validate_certs"] is None:
        given["validate_certs"] = not _insecure(env)
    for name, seconds in LIMITS.items():
        if given[name] is None:
            given[name] = seconds
    del given["auth_file"]
    return given


def _variable(env: Mapping[str, str], option: str) -> str | None:
    return next((env[name] for name in ENVIRONMENT[option] if env.get(name)), None)


def _insecure(env: Mapping[str, str]) -> bool:
    value = env.get(INSECURE)
    try:
        return bool(value) and bool(boolean(value))
    except TypeError:
        raise InvalidInput(
            f"The environment variable {INSECURE} is {value!r}; it has to be true or false.",
            details={"option": "validate_certs"},
        ) from None


def _credentials(given: Mapping[str, Any], env: Mapping[str, str]) -> tuple[str, str]:
    username, password = given["username"], given["password"]
    sources = (
        ("auth_file", given["auth_file"]),
        (None, (_variable(env, "username"), _variable(env, "password"))),
        ("ONE_AUTH", _variable(env, "auth_file")),
        (None, _default_file()),
    )
    for origin, source in sources:
        if username is not None and password is not None:
            break
        if source is None:
            continue
        if isinstance(source, tuple):
            name, secret = source
        else:
            name, secret = read_auth_file(source, origin or "the default")
            if username not in (None, name):
                raise InvalidInput(
                    f"The password of user {username!r} is missing, {source!r} has that of {name!r}; give password.",
                    details={"option": "password"},
                )
        username = name if username is None else username
        password = secret if password is None else password
    for option, value in (("username", username), ("password", password)):
        if value is None or value == "":
            variables = " or ".join(ENVIRONMENT[option])
            raise InvalidInput(
                f"{option} is {'missing' if value is None else 'empty'}; give it, set {variables}, or name a file "
                "with USER:PASSWORD in auth_file or ONE_AUTH.",
                details={"option": option},
            )
    if ":" in str(username):
        raise InvalidInput(
            f"username is {username!r}; OpenNebula takes what follows the first colon for the password.",
            details={"option": "username"},
        )
    return str(username), str(password)


def _default_file() -> str | None:
    path = os.path.expanduser(DEFAULT_AUTH_FILE)
    return path if os.path.isfile(path) else None


def read_auth_file(path: str, origin: str = "auth_file") -> tuple[str, str]:
    """Return user name and password of a file with C(USER:PASSWORD); the password may have colons.

    Args:
        path: the file; C(~) is the home of the user who runs this.
        origin: why it is this file, for messages.

    Raises:
        InvalidInput: the file cannot be read, or holds something else; its content is no part of the message.
    """
    problem = "it has to be one line, USER:PASSWORD"
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            text = file.read().rstrip()
    except OSError as error:
        problem, text = error.strerror or type(error).__name__, ""
    except UnicodeDecodeError:
        text = ""
    username, _colon, password = text.partition(":")
    if not username or not password or len(text.splitlines()) != 1:
        raise InvalidInput(
            f"The file {path!r} ({origin}) gives no credentials: {problem}.",
            details={"option": "auth_file"},
        )
    return username, password

# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds by the names that tables use: `port`, `{line: {longest: 64}}`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from ansible_collections.fact8ra.flower.plugins.plugin_utils import _firewall
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.kinds import (
    Kind,
    boolean,
    integer,
    line,
    number,
    of_characters,
    pattern,
    scalar,
    secret,
    text,
    words,
)


def is_address(text: str, versions: tuple[int, ...] = (4, 6)) -> bool:
    """Whether a text is an IP address, without a zone."""
    try:
        return "%" not in text and ipaddress.ip_address(text).version in versions
    except ValueError:
        return False


def is_network(text: str, versions: tuple[int, ...] = (4, 6)) -> bool:
    """Whether a text is an IP address or network (CIDR), with or without bits of a host."""
    address, slash, length = text.partition("/")
    if not is_address(address, versions):
        return False
    return not slash or (
        re.fullmatch(r"[0-9]{1,3}", length, re.ASCII) is not None
        and int(length) <= ipaddress.ip_address(address).max_prefixlen
    )


def is_bracketed(text: str) -> bool:
    """Whether a text is an IPv4 address, or an IPv6 address in brackets."""
    return is_address(text[1:-1], (6,)) if text.startswith("[") else is_address(text, (4,))


def is_host(text: str) -> bool:
    """Whether a text that has the form of a name is not a wrong address: digits and dots alone are meant as IPv4."""
    return is_address(text) if ":" in text or re.fullmatch(r"[0-9.]+", text) else True


def is_host_port(text: str) -> bool:
    """Whether host and port of a text that has their form are right."""
    host, _colon, port = text.rpartition(":")
    return (is_bracketed(host) if host.startswith("[") else is_host(host)) and 0 < int(port) < 65536


def is_url(text: str) -> bool:
    """Whether host and port of a text that has the form of an address are right."""
    authority = re.split("[/?#]", text.split("://", 1)[1], maxsplit=1)[0].rpartition("@")[2]
    host, colon, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    named = host if colon else authority
    return (is_bracketed(named) if named.startswith("[") else is_host(named)) and (not colon or 0 < int(port) < 65536)


def _pem(label: str) -> str:
    """A regular expression for one block of PEM (RFC 7468) with this label."""
    return rf"-----BEGIN {label}-----\n([A-Za-z0-9+/=]{{1,76}}\n)+-----END {label}-----\n*"


_HOST = r"(?!-)[A-Za-z0-9_.:-]*[A-Za-z0-9_:]"
_URL_REST = r"([/?#][A-Za-z0-9._~:/?#@!&()*+,=%-]*)?"
_URL_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(:[0-9]{1,5})?"
_DNS_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_SSH_KEY = (
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
    r" [A-Za-z0-9+/]{16,8192}={0,2}( [A-Za-z0-9@._+:/ ()=,-]{0,200})?"
)
_ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfX9v1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6p7q8r9s"
_EXAMPLE_PEM = "-----BEGIN {0}-----\nTUlJQg==\n-----END {0}-----\n"
_VERSION = r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}((a|b|rc|\.post|\.dev)[0-9]{1,6})?"
_REQUIREMENT = (
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?( ?\[[A-Za-z0-9._, -]+\])?"
    r"( ?@ ?https?://[A-Za-z0-9._~:/?#@!&()*+,=%-]+| ?(===|[=!~<>]=|[<>]) ?[A-Za-z0-9.*+!_-]+"
    r"( ?, ?(===|[=!~<>]=|[<>]) ?[A-Za-z0-9.*+!_-]+)*)?( ?; ?[A-Za-z0-9_.,<>=!~()'\" -]+)?"
)

KINDS: Mapping[str, Callable[..., Kind]] = {
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "port": lambda: integer(1, 65535),
    "words": words,
    "line": line,
    "text": text,
    "secret": secret,
    "scalar": scalar,
    "name": lambda: pattern(
        "1 to 200 letters, digits, '.', '_' and '-', beginning with a letter or digit",
        r"[A-Za-z0-9][A-Za-z0-9._-]*",
        200,
        "alpha-supernode_1",
        "b2b.example",
    ),
    "federation_name": lambda: pattern(
        "1 to 40 of a-z, 0-9 and -, starting with a letter", r"[a-z][a-z0-9-]*", 40, "poc", "lung-ct-2"
    ),
    "lab_site": lambda: pattern("1 to 11 of a-z and 0-9, starting with a letter", r"[a-z][a-z0-9]*", 11, "alpha", "b2"),
    "object_name": lambda: of_characters(
        "1 to 128 letters, digits, spaces and ._:/@+()#-, beginning with a letter or digit",
        " ._:/@+()#-",
        128,
        "Debian 12 (amd64)",
        "réseau.1",
        start="",
    ),
    "user_name": lambda: pattern(
        "1 to 64 letters, digits and ._@+-, beginning with a letter or digit",
        r"[A-Za-z0-9][A-Za-z0-9._@+-]*",
        64,
        "flower",
        "j.doe@example.eu",
    ),
    "account_name": lambda: pattern(
        "1 to 31 of a-z, 0-9, '_' and '-', beginning with a letter", r"[a-z][a-z0-9_-]*", 31, "alice", "j_doe-2"
    ),
    "dns_name": lambda: pattern(
        "a DNS name",
        rf"(\*\.)?{_DNS_LABEL}(\.{_DNS_LABEL})*",
        253,
        "superlink.example.eu",
        "*.example.eu",
        also=lambda text: not re.fullmatch(r"[0-9.]+", text),
    ),
    "address": lambda: pattern("an IP address", r"[0-9A-Fa-f:.]+", 45, "192.0.2.1", "2001:db8::1", also=is_address),
    "address4": lambda: pattern(
        "an IPv4 address", r"[0-9.]+", 15, "192.0.2.1", also=lambda text: is_address(text, (4,))
    ),
    "addresses": lambda: pattern(
        "one or more IP addresses with spaces between them",
        r"[0-9A-Fa-f:.]+( [0-9A-Fa-f:.]+){0,7}",
        400,
        "192.0.2.1",
        "192.0.2.1 2001:db8::1",
        also=lambda text: all(is_address(part) for part in text.split(" ")),
    ),
    "address_or_name": lambda: pattern(
        "an IP address or a DNS name", _HOST, 253, "192.0.2.1", "2001:db8::1", "superlink.example.eu", also=is_host
    ),
    "address_and_port": lambda: pattern(
        "an address or a DNS name, ':' and a port, IPv6 in brackets",
        r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*):[0-9]{1,5}",
        260,
        "127.0.0.1:8000",
        "[::1]:8000",
        also=is_host_port,
    ),
    "bind_address": lambda: pattern(
        "an IPv4 address, or an IPv6 address in brackets",
        r"[0-9.]+|\[[0-9A-Fa-f:.]+\]",
        47,
        "0.0.0.0",
        "[::]",
        also=is_bracketed,
    ),
    "cidr": lambda: pattern(
        "an IP address or network such as 192.0.2.0/24",
        r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?",
        49,
        "192.0.2.0/24",
        "2001:db8::/32",
        "192.0.2.1",
        also=is_network,
    ),
    "cidr4": lambda: pattern(
        "an IPv4 network such as 192.0.2.0/24",
        r"[0-9.]+(/[0-9]{1,2})?",
        18,
        "192.0.2.0/24",
        "0.0.0.0/0",
        also=lambda text: is_network(text, (4,)),
    ),
    "cidr_or_any": lambda: pattern(
        "an IP address, a network such as 192.0.2.0/24, or any",
        r"any|[0-9A-Fa-f:.]+(/[0-9]{1,3})?",
        49,
        "any",
        "192.0.2.0/24",
        also=lambda text: text == "any" or is_network(text),
    ),
    "port_range": lambda: pattern(
        "a port such as 443, or a range such as 8000-8010",
        r"[0-9]{1,5}(-[0-9]{1,5})?",
        11,
        "443",
        "8000-8010",
        also=lambda text: all(0 < int(port) < 65536 for port in text.split("-")),
    ),
    "system_user": lambda: pattern(
        "1 to 32 of a-z, 0-9, '_' and '-', beginning with a letter or '_'",
        _firewall.USER.pattern,
        32,
        "_apt",
        "systemd-resolve",
    ),
    "firewall_reason": lambda: pattern(
        "3 to 100 letters, digits, spaces and .,:/()_+@=-", _firewall.REASON.pattern, 100, "metrics (ticket 7)"
    ),
    "mac": lambda: pattern(
        "a MAC address such as 02:00:c0:00:02:01", r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", 17, "02:00:c0:00:02:01"
    ),
    "url": lambda: pattern(
        "an http(s) address without user name, quotes and spaces, such as https://one.example.eu:2633/RPC2",
        rf"https?://{_URL_HOST}{_URL_REST}",
        2048,
        "https://one.example.eu:2633/RPC2",
        "http://[2001:db8::1]/",
        also=is_url,
    ),
    "url_with_user": lambda: pattern(
        "an http(s) address without quotes and spaces, such as https://index.example.eu/simple",
        rf"https?://([A-Za-z0-9._~!&()*+,=%:-]+@)?{_URL_HOST}{_URL_REST}",
        2048,
        "https://user:p%40ss@index.example.eu/simple",
        also=is_url,
    ),
    "endpoint": lambda: pattern(
        "the http(s) address of a service: host, port and a path of letters, digits and ._~/+-",
        rf"https?://{_URL_HOST}(/[A-Za-z0-9._~/+-]*)?",
        1024,
        "http://192.0.2.1:5030",
        "https://one.example.eu/onegate",
        also=is_url,
    ),
    "mirror": lambda: pattern(
        "the http(s) address of a package repository: host, port and a path of letters, digits and ._~/+-",
        rf"https?://{_URL_HOST}(/[A-Za-z0-9._~/+-]*)?",
        1024,
        "https://mirror.example.eu/nvidia/",
        also=is_url,
    ),
    "apt_suite": lambda: pattern(
        "a suite of a package repository, or a path with a slash at its end",
        r"[A-Za-z0-9._/~][A-Za-z0-9._/~+-]*",
        128,
        "bookworm",
        "./",
    ),
    "path": lambda: of_characters(
        "a path of letters, digits, spaces and /._~+@=,:#()-, not beginning with '-'",
        " /._~+@=,:#()-",
        1024,
        "/var/lib/fact8ra",
        "~/Größe 8/a",
        start="/~._",
    ),
    "absolute_path": lambda: pattern(
        "an absolute path of letters, digits and ._~+@=,-",
        r"(/[A-Za-z0-9._~+@=,-]+)+",
        1024,
        "/var/lib/prometheus/node-exporter",
        also=lambda text: "/../" not in f"{text}/",
    ),
    "program": lambda: of_characters(
        "a program: a path of letters, digits and /._~+@-, or a name, not beginning with '-'",
        "/._~+@-",
        1024,
        "/usr/bin/python3",
        "python3.11",
        start="/~._",
    ),
    "command": lambda: of_characters(
        "a command of letters, digits, spaces and /._~+@=,:-, not beginning with '-'",
        " /._~+@=,:-",
        1024,
        "/usr/bin/python3 -m pip",
        start="/~._",
    ),
    "file_name": lambda: pattern(
        "a file name of letters, digits, '.', '_' and '-', beginning with neither '.' nor '-'",
        r"[A-Za-z0-9_][A-Za-z0-9._-]*",
        128,
        "model.npz",
    ),
    "interface": lambda: pattern(
        "a network device of 1 to 15 letters, digits, '.', '_' and '-'",
        r"[A-Za-z0-9][A-Za-z0-9._-]*",
        15,
        "br0",
        "eth0.7",
    ),
    "device": lambda: pattern(
        "a device file under /dev, or a class such as char-nvidia-frontend",
        r"/dev/[A-Za-z0-9][A-Za-z0-9._/:-]*|(char|block)-[A-Za-z0-9*._-]+",
        128,
        "/dev/nvidia0",
        "char-nvidia*",
        also=lambda text: ".." not in text,
    ),
    "pci_id": lambda: pattern("four hexadecimal digits, quoted", r"[0-9A-Fa-f]{4}", 4, "10de", "20B0"),
    "pci_class": lambda: pattern(
        "two, four or six hexadecimal digits, quoted", r"([0-9A-Fa-f]{2}){1,3}", 6, "03", "0302", "030200"
    ),
    "pci_filter": lambda: pattern(
        "vendor:device:class, each four hexadecimal digits or *, quoted",
        r"([0-9A-Fa-f]{4}|\*)(:([0-9A-Fa-f]{4}|\*)){1,2}",
        14,
        "10de:20b5:0302",
        "10de:*",
    ),
    "pci_bus": lambda: pattern("two hexadecimal digits, quoted", r"[0-9A-Fa-f]{2}", 2, "41", "c1"),
    "pci_address": lambda: pattern(
        "a PCI address as lspci prints it, quoted, such as 0000:41:00.0",
        r"([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[01][0-9A-Fa-f]\.[0-7]",
        16,
        "0000:41:00.0",
        "c1:00.0",
    ),
    "kernel_module": lambda: pattern(
        "a kernel module: letters, digits, '_' and '-'", r"[A-Za-z0-9][A-Za-z0-9_-]*", 55, "nouveau", "snd_hda_intel"
    ),
    "kernel_parameter": lambda: pattern(
        "a kernel parameter of letters, digits and ._,:/=+-, such as iommu=pt",
        r"[A-Za-z0-9][A-Za-z0-9._-]*(=[A-Za-z0-9._,:/=+-]+)?",
        256,
        "iommu=pt",
        "vfio-pci.disable_idle_d3=1",
        "quiet",
    ),
    "cuda_device": lambda: pattern(
        "the index or UUID of a GPU or MIG instance, such as 0 or GPU-513536b6-7d19-9063-b049-1e69664bb298",
        r"[0-9]{1,2}|(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        40,
        "0",
        "MIG-513536b6-7d19-9063-b049-1e69664bb298",
    ),
    "mig_profile": lambda: pattern(
        "a MIG profile such as 3g.20gb", r"[1-9]g\.[0-9]{1,3}gb(\+[a-z0-9.]{1,12})?", 24, "3g.20gb", "1g.10gb+me"
    ),
    "driver_version": lambda: pattern(
        "a version of NVIDIA's driver such as 535.261.03", r"[0-9]{3,4}\.[0-9]{1,4}(\.[0-9]{1,4})?", 16, "535.261.03"
    ),
    "size": lambda: pattern("a number with k, m or g", r"[0-9]{1,9}[kmgKMG]?", 10, "64m", "1000"),
    "version": lambda: pattern("a version such as 1.41.0", _VERSION, 32, "1.41.0", "2.0.0rc1"),
    "requirement": lambda: pattern(
        "a requirement by name (PEP 508), such as torch==2.13.0",
        _REQUIREMENT,
        512,
        "flwr[simulation]>=1.41,<2",
        "torch==2.13.0; python_version < '3.13'",
        "own @ https://example.eu/own-1.0-py3-none-any.whl",
    ),
    "debian_package": lambda: pattern(
        "a Debian package such as nginx-light",
        r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+)?",
        128,
        "nginx-light",
        "libc6:amd64",
    ),
    "container_image": lambda: pattern(
        "a container image by registry, name and digest, host/name@sha256:DIGEST, and no tag, which may stand for"
        " another image tomorrow",
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}",
        512,
        f"docker.io/flwr/superlink@sha256:{'0123456789abcdef' * 4}",
        f"localhost:5000/own/flower@sha256:{'a9' * 32}",
    ),
    "environment_name": lambda: pattern(
        "a name of an environment variable: letters, digits and '_', no digit first",
        r"[A-Za-z_][A-Za-z0-9_]*",
        128,
        "FLWR_LOG_LEVEL",
    ),
    "config_key": lambda: pattern(
        "a key of letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'",
        r"[A-Za-z0-9_][A-Za-z0-9._-]*",
        128,
        "num-server-rounds",
        "data-path",
    ),
    "fingerprint": lambda: pattern(
        "the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with or without colons",
        r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}",
        95,
        "0123456789abcdef" * 4,
        ":".join(["A9"] * 32),
    ),
    "join_token": lambda: pattern(
        "24 to 128 letters, digits and ._~-", r"[A-Za-z0-9._~-]{24,128}", 128, "Zm9vYmFyYmF6cXV4-_.~0123"
    ),
    "pem_certificates": lambda: pattern(
        "one or more certificates in PEM (-----BEGIN CERTIFICATE-----) and nothing else",
        rf"({_pem('CERTIFICATE')})+",
        65536,
        _EXAMPLE_PEM.format("CERTIFICATE"),
        _EXAMPLE_PEM.format("CERTIFICATE") * 2,
    ),
    "pem_private_key": lambda: pattern(
        "one private key in PEM (-----BEGIN PRIVATE KEY-----) that no passphrase protects, and nothing else",
        "|".join(_pem(f"{kind}PRIVATE KEY") for kind in ("", "EC ", "RSA ")),
        16384,
        _EXAMPLE_PEM.format("PRIVATE KEY"),
    ),
    "ssh_public_key": lambda: pattern(
        'a public key in OpenSSH\'s format ("ssh-ed25519 AAAA..."), its comment of letters, digits and @._+:/()=,-',
        _SSH_KEY,
        8600,
        f"{_ED25519} me@example.eu",
        _ED25519,
    ),
    "ssh_public_keys": lambda: pattern(
        'public keys in OpenSSH\'s format ("ssh-ed25519 AAAA..."), one a line, with plain comments',
        rf"{_SSH_KEY}(\n{_SSH_KEY}){{0,63}}\n?",
        16384,
        f"{_ED25519} me@example.eu",
        f"{_ED25519}\n{_ED25519}\n",
    ),
}
"""Kinds by the names that tables use; the values take the parameters of a table and return the kind."""

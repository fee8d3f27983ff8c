# SPDX-License-Identifier: Apache-2.0
"""TLS between SuperNodes and SuperLink: weaker than agreed on, none at all, and servers that are not the SuperLink."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import Any

import pytest
from adversary import Federation, World, passphrase
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

OFFERS = {
    "TLS 1.0": ("TLSv1", "ALL"),
    "TLS 1.1": ("TLSv1_1", "ALL"),
    "TLS 1.2 without a certificate (aNULL)": ("TLSv1_2", "aNULL"),
    "TLS 1.2 without encryption (eNULL)": ("TLSv1_2", "eNULL"),
}


@promise("Nothing crosses between SuperNode and SuperLink but TLS 1.2 and later.", attempt="{offer} to the SuperLink")
@pytest.mark.parametrize("offer", OFFERS)
def test_weak_tls_is_refused(world: World, attempt: Attempt, offer: str) -> None:
    node = world.ours.supernodes[-1]
    ((answer, lenient), (good, _lenient)) = node.attack("tls", *node.superlink, [OFFERS[offer], ("TLSv1_2", "HIGH")])
    attempt.control(lenient.startswith("agreed"), f"a server that takes it: {lenient}")
    attempt.control(good.startswith("agreed TLSv1.2"), f"the SuperLink: {good}")
    attempt.outcome(answer)
    assert answer.startswith("refused")


@promise(
    "Nothing crosses between SuperNode and SuperLink but TLS 1.2 and later.",
    attempt="plain HTTP to the SuperLink's port",
)
def test_plain_http_is_refused(world: World, attempt: Attempt) -> None:
    node = world.ours.supernodes[-1]
    address, port = node.superlink
    ask = "curl -s -o /dev/null -w '%{http_code}' --max-time 10 -X POST -H 'Content-Type: application/protobuf'"
    where = f"{f'[{address}]' if ':' in address else address}:{port}/v1/fleet/activate-node"
    secured = node.run(f"{ask} --cacert /etc/flower/trust.crt https://{where}").stdout
    attempt.control(secured == "401", f"over TLS Flower answers {secured}")
    plain = node.run(f"{ask} http://{where}", check=False).stdout
    attempt.outcome(f"status {plain}")
    assert plain in ("000", "400")


@dataclass(frozen=True)
class Authority:
    """A certificate authority that the tests may sign with."""

    certificate: x509.Certificate
    key: Any

    @classmethod
    def ours(cls, federation: Federation) -> Authority:
        """The federation's own, which only the controller has."""
        pki = federation.directory / "pki"
        key = serialization.load_pem_private_key((pki / "ca.key").read_bytes(), passphrase(federation).encode())
        return cls(x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes()), key)

    def foreign(self) -> Authority:
        """One of the same name with another key."""
        key = ec.generate_private_key(ec.SECP384R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder(self.certificate.subject, self.certificate.subject, key.public_key())
            .serial_number(self.certificate.serial_number)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA384())
        )
        return Authority(certificate, key)

    def issue(self, names: list[x509.GeneralName], days: tuple[int, int] = (-2, 1)) -> tuple[str, str]:
        """A server's certificate and key in PEM, valid between these days from now."""
        key = ec.generate_private_key(ec.SECP384R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        builder = (
            x509.CertificateBuilder(self.certificate.subject, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        encoding = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        return (
            builder.sign(self.key, hashes.SHA384()).public_bytes(encoding).decode(),
            key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain).decode(),
        )


HERE: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
ELSEWHERE: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("10.9.9.9")), x509.DNSName("superlink")]
IMPOSTORS = {
    "of a foreign authority with the same name": lambda ours: ours.foreign().issue(HERE),
    "that has expired": lambda ours: ours.issue(HERE, (-2, -1)),
    "that is not valid yet": lambda ours: ours.issue(HERE, (1, 2)),
    "for other names": lambda ours: ours.issue(ELSEWHERE),
    "with the name as CN alone": lambda ours: ours.issue([]),
}


@pytest.fixture(scope="module")
def authority(world: World) -> Authority:
    """The federation's authority."""
    return Authority.ours(world.ours)


@pytest.fixture(scope="module")
def believed(world: World, authority: Authority) -> Any:
    """What comes of an impostor whose certificate is right in all."""
    return world.ours.supernodes[-1].attack("impostor", *authority.issue(HERE), 40)


@promise(
    "A SuperNode speaks to no server but the one that the federation's CA certified for the address that it dials.",
    attempt="a server with a certificate {which}",
)
@pytest.mark.parametrize("which", IMPOSTORS)
def test_an_impostor_is_told_nothing(
    world: World, attempt: Attempt, authority: Authority, believed: Any, which: str
) -> None:
    attempt.control(believed["requests"] > 0, "the same server with a certificate of the federation's CA is spoken to")
    told = world.ours.supernodes[-1].attack("impostor", *IMPOSTORS[which](authority), 25)
    attempt.outcome(f"{told['requests']} requests; {_cause(told['said'])}")
    assert told["requests"] == 0
    assert "CERTIFICATE_VERIFY_FAILED" in told["said"]


def _cause(said: str) -> str:
    """The part of a SuperNode's words that says why."""
    return said.rpartition("CERTIFICATE_VERIFY_FAILED] ")[2].partition(" (_ssl.c")[0].strip()[:80] or said[-80:]

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Lists of what is in an image: packages.txt for people, and a bill of materials in CycloneDX 1.6."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from .tree import installed_packages

#: Environments of the images, whose packages are told apart by them.
ENVIRONMENTS: Final = ("opt/flower/venv", "opt/fact8ra/venv")
_PROPERTY: Final = "fact8ra:environment"


@dataclass(frozen=True, order=True)
class Part:
    """One package: its kind ("deb", "pypi" or "generic"), where it is ("" for the system), name and version."""

    kind: str
    place: str
    name: str
    version: str

    @property
    def purl(self) -> str:
        """Its package URL (github.com/package-url/purl-spec)."""
        name, version = quote(self.name, safe="._-~"), quote(self.version, safe="._-~")
        return (
            f"pkg:deb/debian/{name}@{version}?distro=debian-12"
            if self.kind == "deb"
            else f"pkg:{self.kind}/{name}@{version}"
        )


def python_packages(tree: Path, environment: str) -> Iterator[tuple[str, str]]:
    """Names, normalized (PEP 503), and versions of what is installed in an environment of a tree."""
    link = tree / environment
    real = tree / str(link.readlink()).lstrip("/") if link.is_symlink() else link
    for path in sorted(real.glob("lib/python3*/site-packages/*.dist-info/METADATA")):
        fields = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
        yield re.sub(r"[-_.]+", "-", str(fields["Name"])).lower(), str(fields["Version"])


def parts(tree: Path, collection: str) -> list[Part]:
    """Everything in a tree that has a version, with the collection's own; sorted."""
    found = [Part("deb", "", name, version) for name, version in installed_packages(tree).items()]
    for environment in ENVIRONMENTS:
        found += [
            Part("pypi", f"/{environment}", name, version) for name, version in python_packages(tree, environment)
        ]
    return sorted([*found, Part("generic", "", "fact8ra.flower", collection)])


def listing(found: list[Part]) -> str:
    """The text of packages.txt: kind, name, version, and for Python the environment."""
    return "".join(" ".join(filter(None, (part.kind, part.name, part.version, part.place))) + "\n" for part in found)


def bill(found: list[Part], name: str, version: str, digest: str) -> dict[str, Any]:
    """The bill of materials of an image (cyclonedx.org/docs/1.6/json); the same inputs give the same one."""
    components = []
    for part in found:
        component: dict[str, Any] = {
            "type": "library" if part.kind == "pypi" else "application",
            "bom-ref": f"{part.purl}#{part.place}" if part.place else part.purl,
            "name": part.name,
            "version": part.version,
            "purl": part.purl,
        }
        if part.place:
            component["properties"] = [{"name": _PROPERTY, "value": part.place}]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}:{digest}')}",
        "version": 1,
        "metadata": {"component": {"type": "operating-system", "bom-ref": name, "name": name, "version": version}},
        "components": components,
    }

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Secrets and configuration of the stand-ins, and what is told of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fact8ra_lab.hosts import standins
from fact8ra_lab.hosts._system import LabError, Paths
from fact8ra_lab.hosts.network import Site
from fact8ra_lab.hosts.standins import Cloud, Device, Image, StandIns
from fact8ra_lab.standin import config as standin_config

SITE = Site("alpha", 1)


def configured(tmp_path: Path, cloud: Cloud) -> dict[str, object]:
    StandIns(Paths(tmp_path, tmp_path / "cache"))._configure(SITE, cloud)
    parsed: dict[str, object] = json.loads((tmp_path / "sites/alpha/standin.json").read_text())
    return parsed


def test_the_stand_in_takes_the_configuration(tmp_path: Path) -> None:
    parsed = configured(tmp_path, Cloud())
    config = standin_config.from_dict(parsed)
    assert (config.name, config.bind, config.driver) == ("alpha", "10.71.1.1", "nspawn")


def test_secrets_are_random_kept_and_for_root_alone(tmp_path: Path) -> None:
    first = configured(tmp_path, Cloud())
    files = sorted((tmp_path / "sites/alpha").iterdir())
    assert [file.name for file in files] == ["flower.password", "oneadmin.password", "standin.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    passwords = {file.read_text() for file in files[:2]}
    assert len(passwords) == 2
    assert {len(password) for password in passwords} == {standins.PASSWORD_LENGTH}
    assert configured(tmp_path, Cloud()) == first
    described = json.dumps(StandIns(Paths(tmp_path, tmp_path)).describe([SITE], Cloud()))
    assert not any(password in described for password in passwords)


def test_the_tenant_may_create_what_a_federation_needs(tmp_path: Path) -> None:
    seed = configured(tmp_path, Cloud(tenant="team"))["seed"]
    assert isinstance(seed, dict)
    assert seed["groups"] == ["team"]
    assert seed["users"][0]["name"] == seed["users"][0]["group"] == "team"
    assert seed["default_vdc"] is False, "else every group may use every network"
    assert seed["acls"] == [
        "@team VM+NET+TEMPLATE+DOCUMENT+SECGROUP/* CREATE *",
        "@team CLUSTER/#0 ADMIN *",
        "@team HOST/* MANAGE *",
        "@team DATASTORE/* USE *",
    ]


def test_a_device_of_a_site_is_its_hosts_alone_and_the_tenant_may_see_it(tmp_path: Path) -> None:
    devices = tuple(Device.parse(f"{site}=10de:20b5:0302@41/1") for site in ("alpha", "beta"))
    seed = configured(tmp_path, Cloud(devices=devices))["seed"]
    assert isinstance(seed, dict)
    device = {"vendor": "10de", "device": "20b5", "class": "0302", "bus": "41", "numa_node": "1"}
    assert [host["pci"] for host in seed["hosts"]] == [[device]]
    assert "@flower HOST/* USE+MANAGE *" in seed["acls"]


@pytest.mark.parametrize("text", ["alpha", "alpha=10de:20b5@41/0", "alpha=10de:20b5:0302@41:00.0/0", "=1:2:3@4/5"])
def test_a_device_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="SITE=VENDOR:DEVICE:CLASS@BUS/NODE"):
        Device.parse(text)


def test_every_tenant_has_a_password_and_a_group_of_its_own(tmp_path: Path) -> None:
    alone = configured(tmp_path, Cloud())["seed"]
    seed = configured(tmp_path, Cloud(more_tenants=("tenant-b",)))["seed"]
    assert isinstance(alone, dict)
    assert isinstance(seed, dict)
    assert [(user["name"], user["group"]) for user in seed["users"]] == [("flower", "flower"), ("tenant-b", "tenant-b")]
    assert seed["users"][0] == alone["users"][0]
    assert seed["users"][1]["password"] == (tmp_path / "sites/alpha/tenant-b.password").read_text()
    assert len({user["password"] for user in seed["users"]}) == 2
    assert [rule.partition(" ")[2] for rule in seed["acls"][4:]] == [rule.partition(" ")[2] for rule in alone["acls"]]
    assert all(rule.startswith("@tenant-b ") for rule in seed["acls"][4:])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("users",), "tenant `users`"),
        (("../x",), "tenant `../x`: 1 to 32 of a-z"),
        (("flower",), "tenants flower, flower: names must differ"),
    ],
)
def test_impossible_tenants(more: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Cloud(more_tenants=more)


def test_half_a_key_pair_is_made_again(tmp_path: Path) -> None:
    lab = StandIns(Paths(tmp_path, tmp_path))
    assert lab._ensure_key()
    assert not lab._ensure_key()
    key = tmp_path / "ssh/id_ed25519"
    assert key.stat().st_mode & 0o777 == 0o600
    key.with_suffix(".pub").unlink()
    assert lab._ensure_key()
    assert key.with_suffix(".pub").read_text().startswith("ssh-ed25519 ")


def test_one_that_ends_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standins, "_answers", lambda host, port: False)
    lab = StandIns(Paths(tmp_path, tmp_path))
    (tmp_path / "sites/alpha").mkdir(parents=True)
    (tmp_path / "sites/alpha/standin.log").write_text("address already in use\n")
    with pytest.raises(
        LabError, match=r"the stand-in of site alpha ended; the end of .*\naddress already in use"
    ) as error:
        lab._wait(SITE)
    assert "Traceback" not in str(error.value)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What is taken for a root file system on the lab's base."""
    agent = tmp_path / "tree/usr/local/sbin/one-context"
    agent.parent.mkdir(parents=True)
    agent.touch()
    return tmp_path / "tree"


def test_a_further_image_is_offered_with_its_tree(tmp_path: Path, tree: Path) -> None:
    image = Image.parse(f"flower-superlink={tree}")
    parsed = configured(tmp_path, Cloud(more_images=(image,)))
    config = standin_config.from_dict(parsed)
    assert config.driver_options["rootfs"] == [str(tree)]
    base, further = config.seed["images"]
    assert "path" not in base
    assert (further["name"], further["path"], further["mode"]) == ("flower-superlink", str(tree), "644")
    assert StandIns(Paths(tmp_path, tmp_path)).describe([SITE], Cloud(more_images=(image,)))["images"] == {
        "flower-superlink": str(tree)
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image", "NAME=DIRECTORY"),
        ("image=relative", "NAME=DIRECTORY"),
        ("=/tmp", "NAME=DIRECTORY"),
        ("image=/a:b", "no overlay takes"),
        ("image=/a,b", "no overlay takes"),
        ("image=/nowhere", "no root file system with the lab's context"),
    ],
)
def test_an_image_that_no_vm_could_boot(text: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        Image.parse(text)


def test_two_images_of_one_name(tree: Path) -> None:
    with pytest.raises(LabError, match="names must differ"):
        Cloud(more_images=(Image(Cloud.image, tree),))

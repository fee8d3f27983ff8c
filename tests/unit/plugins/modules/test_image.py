# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module image: its life against the stand-in, and against a scripted oned what the stand-in has not."""

from __future__ import annotations

import base64
import itertools
import re
from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, OpenNebulaError, ResourceTimeout
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image_managed import ManagedImage
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.market import app_template
from ansible_collections.fact8ra.flower.plugins.modules import image
from fact8ra_lab.standin.testing import StandIn, default_seed

BASE: dict[str, Any] = {"name": "base", "path": "/etc/hostname"}
APP_TEXT = """TYPE="OS"
# a comment
DEV_PREFIX = "vd"
DRIVER="qcow2"
SIZE="1"
LOGO=x.png
HINT = [ A = "a,]b", B="\\"" ]
"""
DATASTORES = {
    "DATASTORE": [
        {"ID": "0", "NAME": "system", "TYPE": "1", "STATE": "0"},
        {"ID": "1", "NAME": "old", "TYPE": "0", "STATE": "1"},
        {"ID": "2", "NAME": "files", "TYPE": "2", "STATE": "0"},
        {"ID": "100", "NAME": "ceph", "TYPE": "0", "STATE": "0"},
    ]
}


def an_image(number: int = 7, name: str = "base", owner: str = "flower", **more: Any) -> dict[str, Any]:
    """An image as oned has it, READY; C(template) are its attributes."""
    template = more.pop("template", "")
    known = {"STATE": "1", "TYPE": "0", "PERSISTENT": "0", "SIZE": "2252", "PATH": "/a", "FORMAT": "qcow2"}
    known |= {"DATASTORE_ID": "1", "DATASTORE": "default", "RUNNING_VMS": "0", "CLONING_OPS": "0", "CLONING_ID": "-1"}
    known |= {"VMS": "", "CLONES": "", "APP_CLONES": "", "REGTIME": "1795492188", "MODTIME": "0"}
    return pool_object(number, name, owner, **{**known, **more, "TEMPLATE": template})


def an_app(number: int, name: str, marketplace: str = "Public", **more: Any) -> dict[str, Any]:
    """A marketplace app of type IMAGE that is ready."""
    known = {"MARKETPLACE": marketplace, "MARKETPLACE_ID": str(len(marketplace)), "STATE": "1", "TYPE": "1"}
    known["APPTEMPLATE64"] = base64.b64encode(APP_TEXT.encode()).decode()
    return pool_object(number, name, "oneadmin", **{**known, **more})


class Cloud:
    """A scripted oned with images; what C(image.info) answers is the last of C(states), one a call."""

    def __init__(self, *states: dict[str, Any] | None, pool: list[dict[str, Any]] | None = None, **more: Any) -> None:
        self.states = list(states)
        self.warnings: list[str] = []
        answers: dict[str, Any] = {
            "imagepool.info": {"IMAGE": pool or []},
            "image.info": self._info,
            "datastorepool.info": DATASTORES,
            "image.allocate": 7,
            "image.clone": 7,
            **{f"image.{word}": 7 for word in ("chtype", "persistent", "enable", "update", "delete", "lock", "unlock")},
        }
        answers |= {name.replace("__", "."): answer for name, answer in more.items()}
        self.client = RecordingClient(answers)

    def _info(self, *_params: Any) -> Any:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None:
            raise NotFound("no such image")
        return state

    def run(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module's work with these options."""
        spec = {name: option.get("default") for name, option in image.SPEC.argument_spec.items()}
        params = {**spec, "name": "base", "username": "flower", "wait_timeout": 0, **options}
        self.client.calls.clear()
        managed = ManagedImage(self.client, params, self.warnings.append, check_mode=check)
        return managed.run("image", check_mode=check)

    def fail(self, **options: Any) -> OpenNebulaError:
        """Run the module's work, which has to fail, and return the error."""
        with pytest.raises(OpenNebulaError) as caught:
            self.run(**options)
        return caught.value

    @property
    def writes(self) -> list[tuple[Any, ...]]:
        """The calls that may change something."""
        return [call for call in self.client.calls if not call[0].endswith(".info")]


def once(calls: list[str]) -> list[str]:
    """Calls without the repetitions of a wait, whose number depends on the stand-in's clock."""
    return [call for call, _again in itertools.groupby(calls)]


def lines(text: str) -> set[str]:
    """A template as a set of its attributes."""
    return set(text.split("\n"))


def test_life_of_an_image(tenant: Site) -> None:
    create = {**BASE, "type": "OS", "description": "of all", "attributes": {"site": "alpha"}}
    update = {"type": "DATABLOCK", "persistent": True, "description": "mine", "dev_prefix": "vd", "mode": "640"}
    made = tenant.lifecycle(image, "image", create=create, update=update)
    assert (made["type"], made["persistent"], made["state"], made["mode"]) == ("DATABLOCK", True, "READY", "640")
    assert (made["path"], made["description"], made["datastore"]) == ("/etc/hostname", "mine", "default")
    assert made["template"]["SITE"] == "alpha"
    assert made["regtime"] > 0


def test_the_calls_of_each_run(tenant: Site) -> None:
    number = tenant.run(image, **BASE)["image"]["id"]
    assert once(tenant.calls) == ["imagepool.info", "datastorepool.info", "image.allocate", "image.info"]
    tenant.run(image, **BASE)
    assert tenant.calls == ["imagepool.info"], "what it comes from is compared without a call"
    changes = {"type": "CDROM", "persistent": True, "enabled": False, "description": "x", "mode": "600", "locked": True}
    tenant.run(image, id=number, name="other", **changes)
    assert tenant.writes == [
        "image.update",
        "image.chtype",
        "image.persistent",
        "image.enable",
        "image.rename",
        "image.lock",
    ]
    assert tenant.calls == ["image.info", *tenant.writes, "image.info"]
    failed = tenant.fail(image, id=number, description="y")
    assert "could not update DESCRIPTION of locked image 'other'" in failed["msg"]
    tenant.run(image, id=number, locked=False)
    assert tenant.calls == ["image.info", "image.unlock", "image.info"]
    tenant.run(image, id=number, state="absent")
    assert once(tenant.calls) == ["image.info", "image.delete", "image.info"]


def test_id_0_and_owner_0(admin: Site, tenant: Site) -> None:
    assert admin.run(image, id=0, description="the first")["image"]["id"] == 0
    made = admin.run(image, **BASE, owner="flower", group="flower")["image"]
    assert (made["uname"], made["gname"]) == ("flower", "flower")
    assert admin.run(image, id=made["id"], owner="0", group="0")["image"]["uid"] == 0
    failed = tenant.fail(image, id=0, persistent=True)
    assert failed["failure"]["code"] == "not_authorized"
    assert failed["failure"]["operation"] == "one.image.persistent"


def test_a_path_that_is_not_there_fails_at_once(tenant: Site) -> None:
    failed = tenant.fail(image, name="bad", path="/no/such/file")
    assert failed["failure"]["code"] == "failed_state"
    assert failed["failure"]["details"]["last_state"] == "ERROR"
    failed = tenant.fail(image, name="bad", path="/no/such/file")
    assert tenant.calls == ["imagepool.info"]
    assert "Delete the image and run again" in failed["msg"]
    assert tenant.run(image, name="bad", state="absent")["changed"] is True


def test_a_cdrom_gets_its_prefix_where_the_server_drops_it_first(tenant: Site) -> None:
    options = {"name": "cd", "path": "/etc/hostname", "type": "CDROM", "dev_prefix": "hd", "persistent": True}
    made = tenant.run(image, **options)["image"]
    assert (made["template"]["DEV_PREFIX"], made["persistent"]) == ("hd", True)
    assert tenant.run(image, **options)["changed"] is False


def test_a_lie_is_found_out(tenant: Site) -> None:
    tenant.run(image, **BASE)
    tenant.standin.faults.add({"lie": "one.image.persistent"})
    failed = tenant.fail(image, name="base", persistent=True)
    assert failed["failure"]["code"] == "not_applied"


def test_from_an_app() -> None:
    made = an_image(template={"FROM_APP": "30", "DEV_PREFIX": "vd", "LOGO": "x.png"})
    cloud = Cloud(made, marketapppool__info={"MARKETPLACEAPP": [an_app(30, "Debian 12"), an_app(31, "Debian 11")]})
    result = cloud.run(app="Debian 12")
    assert cloud.client.methods == [
        "imagepool.info",
        "marketapppool.info",
        "datastorepool.info",
        "image.allocate",
        "image.info",
    ]
    _method, text, datastore = cloud.writes[0]
    assert datastore == 100, "the first that is enabled and for images"
    assert lines(text) == {
        'NAME="base"',
        'TYPE="OS"',
        'FROM_APP="30"',
        'DEV_PREFIX="vd"',
        'LOGO="x.png"',
        'HINT=[A="a,]b",B="\\""]',
    }
    assert (result["changed"], result["image"]["from_app"]) == (True, 30)


@pytest.mark.parametrize("version", ["6.8.0", "6.10.0", "7.4.0"])
def test_from_an_app_in_each_version(version: str) -> None:
    """What an app needs is alike from 6.8 to 7.x (src/oca/ruby/opennebula/marketplaceapp_ext.rb of each release)."""
    app = {"name": "Debian 12", "source": "http://market/debian.qcow2", "size_mb": 2252, "format": "qcow2"}
    app |= {"template": f'APPTEMPLATE64="{base64.b64encode(APP_TEXT.encode()).decode()}"'}
    seed = {**default_seed(), "marketplaces": [{"name": "Public", "mad": "one", "apps": [app]}]}
    with StandIn(seed, version=version) as running:
        site = Site(running, running.tenant)
        options = {"name": "debian", "app": "Debian 12", "marketplace": "Public", "persistent": True}
        predicted = site.run(image, check=True, diff=True, **options)
        assert site.writes == []
        done = site.run(image, diff=True, **options)
        assert (done["changed"], done["diff"]) == (True, predicted["diff"])
        made = done["image"]
        assert (made["from_app"], made["from_app_name"], made["size"]) == (0, "Debian 12", 2252)
        assert (made["template"]["DEV_PREFIX"], made["persistent"], made["state"]) == ("vd", True, "READY")
        assert site.run(image, **options)["changed"] is False
        assert site.calls == ["imagepool.info"]


def test_options_win_over_what_the_app_says() -> None:
    made = an_image(TYPE="2", template={"DEV_PREFIX": "sd"}, PERSISTENT="1")
    cloud = Cloud(made, marketapp__info=an_app(0, "x"))
    cloud.run(app="0", dev_prefix="sd", type="DATABLOCK", persistent=True, datastore="files")
    assert cloud.client.methods[1] == "marketapp.info"
    assert lines(cloud.writes[0][1]) >= {'DEV_PREFIX="sd"', 'TYPE="DATABLOCK"', 'PERSISTENT="YES"', 'FROM_APP="0"'}
    assert cloud.writes[0][2] == 2


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"app": "Debian 13"}, "not_found", r"'Debian 13', but user 'flower' may use none.* Similar names: Debian 12"),
        ({"app": "Debian 12"}, "ambiguous", r"id 1 in 'Public' \(version -\), id 2 in 'Mine'.* Give marketplace"),
        ({"app": "Debian 12", "marketplace": "Other"}, "not_found", "in the marketplace 'Other'"),
        ({"app": "role"}, "invalid_input", "which is of type SERVICE_TEMPLATE; only one of type IMAGE"),
        ({"app": "late"}, "failed_state", "is in state LOCKED; it has to be READY"),
        ({"app": "9"}, "not_found", "app names the marketplace app '9'"),
    ],
)
def test_apps_that_cannot_be_taken(options: dict[str, Any], code: str, text: str) -> None:
    apps = [an_app(1, "Debian 12"), an_app(2, "Debian 12", "Mine"), an_app(3, "role", TYPE="3")]
    apps.append(an_app(4, "late", STATE="2"))
    cloud = Cloud(None, marketapppool__info={"MARKETPLACEAPP": apps}, marketapp__info=NotFound("no"))
    error = cloud.fail(**options)
    assert error.code == code
    assert re.search(text, error.message), error.message
    assert cloud.writes == []


@pytest.mark.parametrize("marketplace", ["Mine", "4"])
def test_the_marketplace_tells_apps_apart(marketplace: str) -> None:
    apps = {"MARKETPLACEAPP": [an_app(1, "Debian 12"), an_app(2, "Debian 12", "Mine")]}
    cloud = Cloud(an_image(), marketapppool__info=apps)
    cloud.run(app="Debian 12", marketplace=marketplace)
    assert 'FROM_APP="2"' in cloud.writes[0][1]


@pytest.mark.parametrize("text", ["", "%%%", base64.b64encode(b"\xff\xfe").decode()])
def test_an_app_without_a_readable_template_gives_nothing(text: str) -> None:
    assert app_template({"APPTEMPLATE64": text}) == {}


def test_a_copy_keeps_its_place() -> None:
    origin = an_image(3, "origin")
    cloud = Cloud(an_image(STATE="4"), an_image(), pool=[origin])
    result = cloud.run(clone_of="origin", wait_timeout=5)
    assert cloud.client.calls[1] == ("image.clone", 3, "base", -1)
    assert cloud.client.methods == ["imagepool.info", "image.clone", "image.info", "image.info"]
    assert result["image"]["state"] == "READY"
    cloud = Cloud(an_image(PERSISTENT="0"), an_image(PERSISTENT="1"))
    cloud.run(clone_of="0", datastore="ceph", persistent=True)
    assert cloud.writes == [("image.clone", 0, "base", 100), ("image.persistent", 7, True)]


def test_check_mode_takes_an_origin_for_granted() -> None:
    cloud = Cloud(None)
    assert cloud.run(check=True, clone_of="origin")["changed"] is True
    assert cloud.writes == []
    assert "clone_of names the image 'origin', which is not there" in cloud.warnings[0]
    assert cloud.fail(clone_of="origin").code == "not_found"


def test_an_empty_image() -> None:
    cloud = Cloud(an_image(TYPE="2", SIZE="1024", FORMAT="raw", FS="ext4", PATH=""))
    options = {"size": 1024, "fs": "ext4", "format": "raw"}
    cloud.run(**options)
    assert lines(cloud.writes[0][1]) == {'NAME="base"', 'TYPE="DATABLOCK"', 'SIZE="1024"', 'FS="ext4"', 'FORMAT="raw"'}
    assert cloud.run(id=7, **options)["changed"] is False
    assert cloud.warnings == []


def test_files_go_to_a_datastore_for_files() -> None:
    cloud = Cloud(an_image(TYPE="3"))
    cloud.run(path="/boot/vmlinuz", type="KERNEL")
    assert cloud.writes[0][2] == 2
    error = Cloud(None, datastorepool__info="").fail(url="http://x/y")
    assert (error.code, error.details["option"]) == ("not_found", "datastore")
    assert "may use no image datastore" in error.message


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"path": "/b"}, "path is '/a' and not '/b'"),
        ({"url": "http://x/y"}, "url is '/a' and not 'http://x/y'"),
        ({"app": "Debian 12"}, "app is None and not 'Debian 12'"),
        ({"app": "0"}, "app is None and not '0'"),
        ({"size": 1, "format": "raw"}, "size is '2252' and not 1; format is 'qcow2' and not 'raw'"),
        ({"datastore": "0"}, "datastore is '1' and not '0'"),
        ({"path": "/a", "datastore": "ceph"}, "datastore is 'default' and not 'ceph'"),
    ],
)
def test_what_cannot_be_changed_is_told(options: dict[str, Any], text: str) -> None:
    cloud = Cloud(an_image(), pool=[an_image()])
    assert cloud.run(**options)["changed"] is False
    assert cloud.client.methods == ["imagepool.info"]
    assert len(cloud.warnings) == 1
    assert text in cloud.warnings[0]
    assert "Delete the image, or take another name" in cloud.warnings[0]


@pytest.mark.parametrize("options", [{"path": "/a", "datastore": "1"}, {"datastore": "default"}, {"clone_of": "x"}])
def test_what_fits_or_is_not_kept_is_not_told(options: dict[str, Any]) -> None:
    cloud = Cloud(an_image(), pool=[an_image()])
    assert cloud.run(**options)["changed"] is False
    assert cloud.warnings == []


@pytest.mark.parametrize(
    ("options", "option", "text"),
    [
        ({}, "path", "path, url, app, clone_of or size is needed to create image 'base'"),
        ({"path": "debian.qcow2"}, "path", "has to be an absolute path on the front-end"),
        ({"url": "ftp://x/y"}, "url", "begins with http:// or https://"),
        ({"size": 0}, "size", "a number of MB, 1 at least"),
        ({"size": 1, "type": "KERNEL"}, "type", "DATABLOCK, FILESYSTEM, OS for an empty image"),
        ({"path": "/a", "type": "CONTEXT", "persistent": True}, "persistent", "type CONTEXT cannot be persistent"),
        ({"path": "/a", "type": "FILESYSTEM", "dev_prefix": "hd"}, "dev_prefix", "type FILESYSTEM has none"),
        ({"path": "/a", "attributes": {"source": "x"}}, "attributes", "attributes has SOURCE"),
        ({"path": "/a", "enabled": False, "wait": False}, "enabled", "can only be disabled when it has been written"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(options: dict[str, Any], option: str, text: str) -> None:
    cloud = Cloud(None)
    error = cloud.fail(**options)
    assert (error.code, error.details["option"]) == ("invalid_input", option)
    assert text in error.message
    assert cloud.writes == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"path": "/a", "url": "http://x"}, "mutually exclusive: path|url|app|clone_of|size"),
        ({"marketplace": "x"}, "missing parameter(s) required by 'marketplace': app"),
        ({"fs": "ext4"}, "missing parameter(s) required by 'fs': size"),
        ({"type": "BACKUP"}, "value of type must be one of"),
    ],
)
def test_options_that_do_not_go_together(tenant: Site, options: dict[str, Any], text: str) -> None:
    assert text in tenant.fail(image, name="base", **options)["msg"]
    assert tenant.calls == []


def vm_of(number: int, _decrypt: bool) -> Any:
    """The virtual machine 3, which others may not see, and no other."""
    if number == 3:
        return pool_object(3, "web")
    raise NotFound("no such VM")


@pytest.mark.parametrize(
    ("options", "cannot"),
    [
        ({"persistent": True}, "cannot get persistent: true while"),
        ({"enabled": False}, "cannot get enabled: false while"),
        ({"state": "absent", "force": True}, "cannot be deleted while"),
    ],
)
def test_an_image_in_use_names_its_users(options: dict[str, Any], cannot: str) -> None:
    used = an_image(STATE="2", RUNNING_VMS="2", VMS={"ID": ["4", "3"]})
    cloud = Cloud(used, vm__info=vm_of)
    error = cloud.fail(id=7, name=None, **options)
    assert error.code == "in_use"
    assert cannot in error.message
    assert "virtual machine 'web' (id 3, of user 'flower'), virtual machine (id 4). Remove these" in error.message
    assert error.details["holders"][1] == "virtual machine (id 4)"
    assert cloud.writes == []


def test_a_machine_that_runs_keeps_its_image(tenant: Site) -> None:
    number = tenant.run(image, **BASE)["image"]["id"]
    text = f'NAME="web"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{number}"]'
    vm = tenant.standin.one("one.vm.allocate", text, False, user=tenant.user)
    assert tenant.run(image, **BASE)["image"]["vms"] == [vm]
    for check in (True, False):
        failed = tenant.fail(image, id=number, state="absent", check=check)
        assert failed["failure"]["code"] == "in_use"
        assert failed["failure"]["details"]["holders"] == [f"virtual machine 'web' (id {vm}, of user 'flower')"]
        assert tenant.calls == ["image.info", "vm.info"]


def test_copies_of_an_image_keep_it_too() -> None:
    error = Cloud(an_image(STATE="6", CLONING_OPS="2")).fail(id=7, state="absent")
    assert "while it is used by 2 copies that are being made of it" in error.message


@pytest.mark.parametrize(("has", "wants"), [("0", "KERNEL"), ("3", "OS"), ("7", "OS"), ("2", "FILESYSTEM")])
def test_types_that_cannot_become_each_other(has: str, wants: str) -> None:
    cloud = Cloud(an_image(TYPE=has))
    error = cloud.fail(id=7, type=wants)
    assert error.details["option"] == "type"
    assert cloud.writes == []


def test_an_image_in_error_quotes_the_reason() -> None:
    bad = an_image(STATE="5", template={"ERROR": "Error copying image in the datastore: no space"})
    cloud = Cloud(bad)
    error = cloud.fail(url="http://x/y")
    assert error.code == "failed_state"
    assert "is in state ERROR: Error copying image in the datastore: no space. Delete the image" in error.message
    assert error.as_failure()["server_message"] == "Error copying image in the datastore: no space"
    for check in (False, True):
        assert cloud.fail(id=7, check=check).code == "failed_state"
        assert cloud.writes == []
    cloud.states = [bad, an_image()]
    assert cloud.run(id=7, enabled=True)["changed"] is True
    assert cloud.writes == [("image.enable", 7, True)]


def test_waiting_ends() -> None:
    late = Cloud(an_image(STATE="4"))
    assert isinstance(error := late.fail(path="/a"), ResourceTimeout)
    assert error.last_state == "LOCKED"
    assert late.run(path="/a", wait=False)["image"]["state"] == "LOCKED"
    assert late.client.methods[-2:] == ["image.allocate", "image.info"]
    assert "went away while it was waited for" in Cloud(None).fail(path="/a").message


@pytest.mark.parametrize(
    ("force", "states", "calls"),
    [
        (False, [an_image(STATE="4"), an_image(), None], ["image.info", "image.info", "image.delete", "image.info"]),
        (True, [an_image(STATE="4"), None], ["image.info", "image.delete", "image.info"]),
        (False, [an_image(STATE="7"), None], ["image.info", "image.info"]),
        (False, [an_image(), an_image(STATE="7"), None], ["image.info", "image.delete", "image.info", "image.info"]),
    ],
)
def test_deleting_waits_for_the_state_that_permits_it(force: bool, states: list[Any], calls: list[str]) -> None:
    cloud = Cloud(*states)
    result = cloud.run(id=7, state="absent", force=force, wait_timeout=5)
    assert result["image"] is None
    assert cloud.client.methods == calls
    assert all(call == ("image.delete", 7, force) for call in cloud.writes)


def test_a_deletion_that_fails_is_told() -> None:
    bad = an_image(STATE="5", template={"ERROR": "rm failed"})
    error = Cloud(an_image(), bad).fail(id=7, state="absent")
    assert "ERROR: rm failed. It could not be deleted; with force it goes" in error.message
    gone = Cloud(an_image(), None, image__delete=NotFound("gone"))
    assert gone.run(id=7, state="absent")["changed"] is True
    assert Cloud(an_image(), an_image(STATE="7")).run(id=7, state="absent", wait=False)["changed"] is True


def test_an_attribute_can_be_removed() -> None:
    before = an_image(template={"DEV_PREFIX": "vd", "SITE": "a", "FROM_APP": "30"})
    cloud = Cloud(before, an_image(template={"DEV_PREFIX": "vd", "FROM_APP": "30"}))
    assert cloud.run(id=7, attributes={"site": None})["changed"] is True
    method, number, text, append = cloud.writes[0]
    assert (method, number, append) == ("image.update", 7, 0)
    assert lines(text) == {'DEV_PREFIX="vd"', 'FROM_APP="30"'}

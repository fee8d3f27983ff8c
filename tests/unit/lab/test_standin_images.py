# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and marketplaces. What is expected is from OpenNebula's source, release-7.4.0: ImageAPI.cc,
ImageManagerActions.cc, Image.cc, and marketplaceapp_ext.rb for how an app is exported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.testing import StandIn, default_seed

OS = 'NAME="os"\nTYPE="OS"\nPATH="/etc/hostname"'
APP = "https://marketplace.example.org/app/0"
APPS = [
    {"name": "Debian 12", "source": APP, "size_mb": 300, "md5": "abc", "format": "qcow2", "template": 'DEV_PREFIX="vd"'}
]
VM = 'NAME="vm"\nCPU="0.1"\nMEMORY="16"\n'


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A stand-in with a marketplace."""
    seed = default_seed() | {"marketplaces": [{"name": "Public", "apps": APPS}]}
    with StandIn(seed=seed) as running:
        yield running


def info(standin: StandIn, number: int) -> dict[str, str]:
    """The plain elements of an image."""
    return {child.tag: child.text or "" for child in ElementTree.fromstring(standin.one("one.image.info", number))}


def reach(standin: StandIn, number: int, state: int) -> dict[str, str]:
    """Waits for a state."""
    standin.until(lambda: info(standin, number)["STATE"] == str(state))
    return info(standin, number)


def ready(standin: StandIn, text: str = OS, store: int = 1) -> int:
    """A new image that is copied."""
    number: int = standin.one("one.image.allocate", text, store)
    reach(standin, number, 1)
    return number


def refused(standin: StandIn, method: str, *params: Any, user: tuple[str, str] | None = None) -> str:
    """The text of a refused call, without the method."""
    with pytest.raises(RuntimeError) as error:
        standin.one(method, *params, user=user)
    return str(error.value).removeprefix(f"[{method}] ")


@pytest.mark.parametrize("path", ["/etc/hostname", "https://example.org/image.qcow2", "http://example.org/image.qcow2"])
def test_an_image_is_locked_until_it_is_copied(standin: StandIn, path: str) -> None:
    standin.faults.add({"stuck": "os"})
    number = standin.one("one.image.allocate", f'NAME="os"\nPATH="{path}"\nSIZE="77"', 1)
    locked = info(standin, number)
    assert (locked["STATE"], locked["PREV_STATE"], locked["SOURCE"]) == ("4", "0", "")
    standin.faults.clear()
    copied = reach(standin, number, 1)
    assert (copied["PATH"], copied["SOURCE"], copied["SIZE"], copied["TYPE"]) == (path, "dummy_path", "77", "0")


def test_a_path_that_does_not_exist_ends_in_error_and_says_why(standin: StandIn) -> None:
    number = standin.one("one.image.allocate", 'NAME="os"\nPATH="/nowhere"', 1)
    assert reach(standin, number, 5)["SOURCE"] == ""
    text = standin.one("one.image.info", number)
    assert " : Error copying image in the datastore: Error copying /nowhere to " in text
    assert standin.one("one.image.delete", number) == number  # never copied, so gone at once
    assert refused(standin, "one.image.info", number) == f"Error getting image [{number}]."


def test_faults_make_an_image_fail_or_stay_locked(standin: StandIn) -> None:
    standin.faults.add({"image_error": "os", "text": "connection refused"})
    number = standin.one("one.image.allocate", OS, 1)
    reach(standin, number, 5)
    assert "Error copying image in the datastore: connection refused" in standin.one("one.image.info", number)
    standin.faults.add({"stuck": "late"})
    late = standin.one("one.image.allocate", 'NAME="late"\nPATH="/etc/hostname"', 1)
    assert info(standin, late)["STATE"] == "4"
    standin.faults.clear()
    reach(standin, late, 1)


def test_a_source_needs_format_and_size_and_is_ready_without_a_copy(standin: StandIn) -> None:
    source = 'NAME="os"\nSOURCE="/var/lib/one/disk"\n'
    size = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
    assert refused(standin, "one.image.allocate", source, 1) == size
    text = "Error allocating a new image. SOURCE needs FORMAT to be set."
    assert refused(standin, "one.image.allocate", source + 'SIZE="5"', 1) == text
    both = source + 'SIZE="5"\nFORMAT="raw"\n'
    text = "Error allocating a new image. PATH and SOURCE cannot be both set."
    assert refused(standin, "one.image.allocate", both + 'PATH="/etc/hostname"', 1) == text
    number = ready(standin, both)
    assert (info(standin, number)["SOURCE"], info(standin, number)["FORMAT"]) == ("/var/lib/one/disk", "raw")
    text = "User [2] : Template includes a restricted attribute SOURCE."
    assert refused(standin, "one.image.allocate", both, 1, user=standin.tenant) == text


def test_an_empty_disk_needs_a_size(standin: StandIn) -> None:
    text = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
    assert refused(standin, "one.image.allocate", 'NAME="d"\nTYPE="DATABLOCK"', 1) == text
    number = ready(standin, 'NAME="d"\nTYPE="DATABLOCK"\nSIZE="10"\nPERSISTENT="YES"')
    assert (info(standin, number)["TYPE"], info(standin, number)["PERSISTENT"]) == ("2", "1")


@pytest.mark.parametrize(
    ("text", "store", "error"),
    [
        (
            'TYPE="KERNEL"\nPATH="/etc/hostname"',
            1,
            "IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in",
        ),
        ('TYPE="OS"\nPATH="/etc/hostname"', 2, "Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in"),
        ('TYPE="OS"\nPATH="/etc/hostname"', 0, "New images can only be allocated in a files or image datastore."),
        ('TYPE="TAPE"\nPATH="/etc/hostname"', 1, "Unknown type"),
    ],
)
def test_what_a_datastore_does_not_take(standin: StandIn, text: str, store: int, error: str) -> None:
    failed = refused(standin, "one.image.allocate", f'NAME="x"\n{text}', store)
    assert failed.startswith(f"Error allocating a new image. {error}")


def test_more_than_the_datastore_has_free_is_refused(standin: StandIn) -> None:
    text = 'NAME="big"\nTYPE="DATABLOCK"\nSIZE="99999999"'
    assert refused(standin, "one.image.allocate", text, 1) == "Not enough space in datastore"


def test_an_image_from_a_marketplace_app_takes_path_and_size_from_it(standin: StandIn) -> None:
    number = ready(standin, 'NAME="debian"\nFROM_APP="0"')
    image = info(standin, number)
    assert (image["PATH"], image["SIZE"]) == (APP, "300")
    template = ElementTree.fromstring(standin.one("one.image.info", number)).find("TEMPLATE")
    assert template is not None
    values = {child.tag: child.text for child in template}
    app = {"FROM_APP": "0", "FROM_APP_NAME": "Debian 12", "FROM_APP_MD5": "abc", "DEV_PREFIX": "sd"}
    assert values == app
    text = "Cannot determine image SIZE."
    assert refused(standin, "one.image.allocate", 'NAME="none"\nFROM_APP="9"', 1) == text


def test_marketplaces_and_apps_are_read_by_everyone(standin: StandIn) -> None:
    market = ElementTree.fromstring(standin.one("one.marketpool.info", user=standin.tenant))
    assert [child.findtext("NAME") for child in market] == ["Public"]
    assert market.findtext("MARKETPLACE/MARKETPLACEAPPS/ID") == "0"
    apps = ElementTree.fromstring(standin.one("one.marketapppool.info", -2, -1, -1, user=standin.tenant))
    assert [child.findtext("NAME") for child in apps] == ["Debian 12"]
    app = ElementTree.fromstring(standin.one("one.marketapp.info", 0, user=standin.tenant))
    wanted = ("300", "1", "1", "Public", "0")
    assert tuple(app.findtext(tag) for tag in ("SIZE", "STATE", "TYPE", "MARKETPLACE", "MARKETPLACE_ID")) == wanted
    assert standin.one("one.market.info", 0).startswith("<MARKETPLACE><ID>0</ID>")
    assert refused(standin, "one.marketapp.info", 7) == "Error getting marketplaceapp [7]."


def test_a_clone_is_locked_while_the_original_counts_it(standin: StandIn) -> None:
    number = ready(standin)
    standin.faults.add({"stuck": "copy"})
    copy = standin.one("one.image.clone", number, "copy", -1)
    original = info(standin, number)
    assert (original["STATE"], original["CLONING_OPS"], info(standin, copy)["CLONING_ID"]) == ("2", "1", str(number))
    standin.faults.clear()
    cloned = reach(standin, copy, 1)
    assert (cloned["CLONING_ID"], cloned["PATH"], cloned["SIZE"]) == ("-1", "dummy_path", "1024")
    original = info(standin, number)
    assert (original["STATE"], original["CLONING_OPS"]) == ("1", "0")


def test_a_persistent_image_is_in_state_clone_while_it_is_copied(standin: StandIn) -> None:
    number = ready(standin, OS + '\nPERSISTENT="YES"')
    standin.faults.add({"stuck": "copy"})
    copy = standin.one("one.image.clone", number, "copy")
    assert (info(standin, number)["STATE"], info(standin, copy)["PERSISTENT"]) == ("6", "1")
    text = "Cannot delete image. There are 1 active clone operations."
    assert refused(standin, "one.image.delete", number) == text
    standin.faults.clear()
    reach(standin, number, 1)


def test_what_cannot_be_cloned(standin: StandIn) -> None:
    kernel = ready(standin, 'NAME="k"\nTYPE="KERNEL"\nPATH="/etc/hostname"', 2)
    assert refused(standin, "one.image.clone", kernel, "copy", 2) == "KERNEL images cannot be cloned."
    number = ready(standin)
    assert refused(standin, "one.image.clone", number, "copy", 2) == "Clone only supported for IMAGE_DS Datastores"
    standin.one("one.image.enable", number, False)
    text = "Error allocating a new image. Cannot clone image in state: DISABLED"
    assert refused(standin, "one.image.clone", number, "copy") == text
    assert refused(standin, "one.image.clone", number, "copy", 77) == "Error getting datastore [77]."


def test_a_locked_image_is_deleted_by_force_alone(standin: StandIn) -> None:
    standin.faults.add({"stuck": "os"})
    number = standin.one("one.image.allocate", OS, 1)
    text = "Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore"
    assert refused(standin, "one.image.delete", number) == text
    standin.one("one.image.delete", number, True)
    assert refused(standin, "one.image.info", number) == f"Error getting image [{number}]."


def test_a_copied_image_is_deleted_over_time(standin: StandIn) -> None:
    number = ready(standin)
    standin.faults.add({"stuck": "os"})
    assert standin.one("one.image.delete", number) == number
    assert info(standin, number)["STATE"] == "7"
    standin.faults.clear()
    standin.until(lambda: f"<ID>{number}</ID>" not in standin.one("one.imagepool.info", -2, -1, -1))


def test_enable_disable_and_persistent_follow_the_state(standin: StandIn) -> None:
    number = ready(standin)
    standin.one("one.image.enable", number, False)
    assert info(standin, number)["STATE"] == "3"
    standin.one("one.image.enable", number, True)
    standin.one("one.image.persistent", number, True)
    assert info(standin, number)["PERSISTENT"] == "1"
    standin.one("one.vm.allocate", f'{VM}DISK=[IMAGE_ID="{number}"]')
    assert info(standin, number)["STATE"] == "8"
    text = "Could not make image non-persistent: Image cannot be in state USED."
    assert refused(standin, "one.image.persistent", number, False) == text
    text = "Could not disable image: Image cannot be in state USED."
    assert refused(standin, "one.image.enable", number, False) == text
    text = f"Error allocating a new virtual machine. Cannot acquire image {number}, it is persistent and already in use"
    assert refused(standin, "one.vm.allocate", f'{VM}DISK=[IMAGE_ID="{number}"]') == text


def test_the_type_changes_within_its_family(standin: StandIn) -> None:
    number = ready(standin)
    standin.one("one.image.chtype", number, "cdrom")
    assert info(standin, number)["TYPE"] == "1"
    text = "Cannot change image type to an incompatible type for the current datastore."
    assert refused(standin, "one.image.chtype", number, "KERNEL") == text
    assert refused(standin, "one.image.chtype", number, "TAPE") == "nknown type "


def test_update_merges_or_replaces_and_keeps_the_source_from_tenants(standin: StandIn) -> None:
    number = ready(standin)
    standin.one("one.image.chown", number, 2, 100)
    standin.one("one.image.update", number, 'A="1"', 1, user=standin.tenant)
    standin.one("one.image.update", number, 'B="2"', 1, user=standin.tenant)
    assert "<A><![CDATA[1]]></A><B><![CDATA[2]]></B>" in standin.one("one.image.info", number)
    standin.one("one.image.update", number, 'C="3"', 0, user=standin.tenant)
    assert "<TEMPLATE><C><![CDATA[3]]></C></TEMPLATE>" in standin.one("one.image.info", number)
    text = "Cannot update template. User Template includes a restricted attribute SOURCE"
    assert refused(standin, "one.image.update", number, 'SOURCE="/x"', 1, user=standin.tenant) == text


def test_a_vm_waits_for_its_image_and_fails_with_it(standin: StandIn) -> None:
    standin.faults.add({"stuck": "os"})
    standin.faults.add({"stuck": "bad"})
    waits = standin.one("one.image.allocate", OS, 1)
    fails = standin.one("one.image.allocate", 'NAME="bad"\nPATH="/nowhere"', 1)
    states = {}
    for number in (waits, fails):
        states[number] = standin.one("one.vm.allocate", f'{VM}DISK=[IMAGE_ID="{number}"]')
        assert "<STATE>10</STATE>" in standin.one("one.vm.info", states[number])
    standin.faults.clear()
    standin.until(lambda: "<LCM_STATE>3</LCM_STATE>" in standin.one("one.vm.info", states[waits]))
    standin.until(lambda: "<STATE>11</STATE>" in standin.one("one.vm.info", states[fails]))
    assert info(standin, waits)["STATE"] == "2"


def test_image_quotas_hold_for_creation_chown_and_vms(standin: StandIn) -> None:
    standin.one("one.user.quota", 2, 'DATASTORE=[ID="1",IMAGES="1",SIZE="100"]')
    small = 'NAME="small"\nPATH="/etc/hostname"\nSIZE="50"'
    mine = standin.one("one.image.allocate", small, 1, user=standin.tenant)
    text = "User [2] : user [2] limit of 1 reached for IMAGES quota in DATASTORE with ID: 1."
    assert refused(standin, "one.image.allocate", small.replace("small", "more"), 1, user=standin.tenant) == text
    other = ready(standin)
    text = "User [0] : user [2] limit of 1 reached for IMAGES quota in DATASTORE with ID: 1."
    assert refused(standin, "one.image.chown", other, 2, -1) == text
    standin.one("one.user.quota", 2, f'IMAGE=[ID="{mine}",RVMS="1"]')
    standin.one("one.vm.allocate", f'{VM}DISK=[IMAGE_ID="{mine}"]', user=standin.tenant)
    text = f"User [2] : user [2] limit of 1 reached for RVMS quota in IMAGE with ID: {mine}."
    assert refused(standin, "one.vm.allocate", f'{VM}DISK=[IMAGE_ID="{mine}"]', user=standin.tenant) == text


def test_locks_are_read_by_all_and_lifted_by_owner_or_administrator(standin: StandIn) -> None:
    number = ready(standin)
    standin.one("one.image.chown", number, 2, 100)
    standin.one("one.image.lock", number, 1, True)
    shown = standin.one("one.image.info", number, user=standin.tenant)
    assert "<LOCK><LOCKED>1</LOCKED><OWNER>0</OWNER>" in shown
    text = "Cannot unlock: Lock is owned by another user"
    assert refused(standin, "one.image.unlock", number, user=standin.tenant) == text
    assert refused(standin, "one.image.lock", number, 9) == "Wrong lock level specified"
    for level, shown_level in ((1, 1), (2, 2), (3, 3), (4, 1)):
        standin.one("one.image.lock", number, level)
        assert f"<LOCKED>{shown_level}</LOCKED>" in standin.one("one.image.info", number)
    standin.one("one.image.unlock", number)
    assert "<LOCK>" not in standin.one("one.image.info", number)

# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes a device the way QEMU does when a VM gets it: container, group, IOMMU, device. Prints what the kernel says.

Called with the IOMMU group and the device's PCI address. With a third argument it writes the answer to that file and
keeps the device open until it is ended. Numbers are of include/uapi/linux/vfio.h.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import sys

TYPE1V2_IOMMU = 3
GET_API_VERSION, CHECK_EXTENSION, SET_IOMMU = 0x3B64, 0x3B65, 0x3B66
GROUP_GET_STATUS, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD, DEVICE_GET_INFO = 0x3B67, 0x3B68, 0x3B6A, 0x3B6B
VIABLE = 1

number, address = sys.argv[1:3]
container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open(f"/dev/vfio/{number}", os.O_RDWR)
flags = struct.unpack("II", fcntl.ioctl(group, GROUP_GET_STATUS, struct.pack("II", 8, 0)))[1]
answer = {
    "version": fcntl.ioctl(container, GET_API_VERSION),
    "type1v2": fcntl.ioctl(container, CHECK_EXTENSION, TYPE1V2_IOMMU),
    "viable": bool(flags & VIABLE),
}
if answer["viable"]:
    fcntl.ioctl(group, GROUP_SET_CONTAINER, struct.pack("i", container))
    fcntl.ioctl(container, SET_IOMMU, TYPE1V2_IOMMU)
    device = fcntl.ioctl(group, GROUP_GET_DEVICE_FD, bytearray(address.encode() + b"\0"))
    information = fcntl.ioctl(device, DEVICE_GET_INFO, struct.pack("IIIII", 20, 0, 0, 0, 0))
    answer["regions"], answer["irqs"] = struct.unpack("IIIII", information)[2:4]
if len(sys.argv) > 3:
    with open(f"{sys.argv[3]}.new", "w", encoding="utf-8") as stream:
        json.dump(answer, stream)
    os.replace(f"{sys.argv[3]}.new", sys.argv[3])
    signal.pause()
print(json.dumps(answer))

# A fake of Debian's update-grub: one entry, and one to rescue; it reads /etc/default/grub, then grub.d by name.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
set -eu
PATH=/usr/bin:/bin
root=$(dirname "$(dirname "$0")")
echo "${0##*/}${*:+ }$*" >> "$root/calls"
# shellcheck disable=SC1091
. "$root/etc/default/grub"
for file in "$root"/etc/default/grub.d/*.cfg; do
    # shellcheck disable=SC1090
    [ ! -e "$file" ] || . "$file"
done
cat > "$root/boot/grub/grub.cfg" <<CFG
menuentry 'Linux' {
    linux   /boot/vmlinuz root=/dev/sda1 ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT
}
menuentry 'Linux (recovery mode)' {
    linux   /boot/vmlinuz root=/dev/sda1 ro single $GRUB_CMDLINE_LINUX
}
CFG

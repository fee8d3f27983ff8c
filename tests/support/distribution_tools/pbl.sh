# A fake of SUSE's pbl: the options are the lines of boot/options, each key once; --config makes the menu of them.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
set -eu
PATH=/usr/bin:/bin
root=$(dirname "$(dirname "$0")")
echo "${0##*/}${*:+ }$*" >> "$root/calls"
options=$root/boot/options key=${2:-} key=${key%%=*}
case $1 in
--get-option) grep -x -e "$key" -e "$key=.*" "$options" || true ;;
--del-option) sed -i -e "/^$key$/d" -e "/^$key=/d" "$options" ;;
--add-option)
    sed -i -e "/^$key$/d" -e "/^$key=/d" "$options"
    echo "$2" >> "$options"
    ;;
--config) echo "    linux /boot/vmlinuz root=/dev/sda1 $(paste -sd' ' "$options")" > "$root/boot/grub2/grub.cfg" ;;
*) exit 1 ;;
esac

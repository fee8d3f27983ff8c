# A fake of grubby: the entries are the lines of boot/args.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
set -eu
PATH=/usr/bin:/bin
root=$(dirname "$(dirname "$0")")
echo "${0##*/}${*:+ }$*" >> "$root/calls"
for argument; do
    case $argument in
    --args=*) for word in ${argument#--args=}; do sed -i "s|$| $word|" "$root/boot/args"; done ;;
    --remove-args=*) for word in ${argument#--remove-args=}; do sed -Ei "s#( |^)$word( |$)#\2#" "$root/boot/args"; done ;;
    --info=ALL) sed 's#.*#index=0\nkernel="/boot/vmlinuz"\nargs="&"\nroot="/dev/sda1"#' "$root/boot/args" ;;
    --update-kernel=ALL) ;;
    *) exit 1 ;;
    esac
done

#!/bin/sh
# Installs the shim: install.sh FILE DIRECTORY
#
# Beside the old one and over it by rename(2): processes that run keep the file they mapped, and at
# no moment does a starting process find none, or half of one.
set -eu
umask 022

case $2 in
/*) directory=${DESTDIR:-}$2 ;;
*) directory=$MESON_INSTALL_DESTDIR_PREFIX/$2 ;;
esac
name=$(basename "$1")
new=$directory/.$name.$$

mkdir -p "$directory"
trap 'rm -f "$new"' EXIT
cp "$1" "$new"
chmod 644 "$new"
mv -f "$new" "$directory/$name"

#!/bin/sh
# Installs livesock in your home directory, or takes it away again. No root is needed.
set -eu
umask 022

usage() {
    cat <<END
Usage: install.sh [--prefix DIR]               installs below DIR (default: ~/.local)
       install.sh --uninstall [--prefix DIR]   removes what was installed there

Files that are there are replaced by rename: what runs goes on with the old ones.
END
}

say() {
    printf '%s\n' "$@"
}

fail() {
    say "$@" >&2
    exit 1
}

action=install prefix=${HOME:?}/.local
while [ $# -gt 0 ]; do
    case $1 in
        --uninstall) action=uninstall ;;
        --prefix)
            [ $# -gt 1 ] || { usage >&2; exit 2; }
            prefix=$2
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
esac
# As programs see themselves, and `livesock setup` writes it.
[ ! -d "$prefix" ] || prefix=$(CDPATH='' cd -- "$prefix" && pwd -P)
case $prefix in
    *[!A-Za-z0-9/._+@-]*) fail "'$prefix' cannot be the place: a library below it could not be preloaded (ld.so(8))." \
        "Choose a path of letters, digits and /._+@- alone: install.sh --prefix DIR" ;;
esac
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
own=share/livesock
manifest=$prefix/$own/manifest

# put FILE NAME MODE: FILE becomes NAME below the prefix, by rename.
put() {
    mkdir -p "$(dirname "$prefix/$2")"
    new=$(dirname "$prefix/$2")/.$(basename "$2").$$
    cp "$1" "$new"
    chmod "$3" "$new"
    mv -f "$new" "$prefix/$2"
}

install_all() {
    [ -d "$here/tree" ] || fail "'$here' is not the unpacked tarball"
    for program in "$here/tree/bin/livesock" "$here/tree/bin/livesockd"; do
        "$program" --version >/dev/null || fail "'$program' does not run on this system (see above)"
    done
    mkdir -p "$prefix/$own"
    names=$(cd "$here/tree" && find . -type f | sed 's|^\./||' | LC_ALL=C sort)
    # First of all: whatever happens, --uninstall finds what was put there.
    { [ ! -e "$manifest" ] || cat "$manifest"; say "$names" "$own/install.sh" "$own/manifest"; } |
        LC_ALL=C sort -u >"$manifest.new"
    mv -f "$manifest.new" "$manifest"
    say "$names" | while IFS= read -r name; do
        mode=644
        [ ! -x "$here/tree/$name" ] || mode=755
        put "$here/tree/$name" "$name" "$mode"
    done
    put "$here/install.sh" "$own/install.sh" 755
    say "livesock is in $prefix. Now have your shell and tmux use it:" \
        "    $prefix/bin/livesock setup" \
        "To take it away again: $prefix/$own/install.sh --uninstall"
}

# is_preloaded NAME: whether a process has this library in its environment, or may give it to others: with the file gone,
# each program that those start would print a line about it.
is_preloaded() {
    grep -qsz "^LD_PRELOAD=.*$prefix/$1" /proc/[0-9]*/environ || [ -n "$(multiplexers)" ]
}

# is_in_screenrc NAME: whether the next screen will preload this library.
is_in_screenrc() {
    grep -qsF "$prefix/$1" "$HOME/.screenrc"
}

# A tmux or screen of this user; what it gives to new panes is nowhere to be seen.
multiplexers() {
    for comm in /proc/[0-9]*/comm; do
        if [ -O "$comm" ] && grep -qsx -e 'tmux: server' -e screen "$comm"; then
            echo "$comm"
        fi
    done
}

remove_directories() {
    directory=$(dirname "$prefix/$1")
    while [ "$directory" != "$prefix" ] && rmdir "$directory" 2>/dev/null; do
        directory=$(dirname "$directory")
    done
}

uninstall_all() {
    [ -e "$manifest" ] || fail "nothing was installed in $prefix by install.sh"
    if [ -x "$prefix/bin/livesock" ] && ! "$prefix/bin/livesock" setup --undo </dev/null >/dev/null 2>&1; then
        say "Sections of 'livesock setup' are left in your files. Those for shells and tmux do nothing without livesock;" \
            "that for screen goes on to preload the library, and those for systemd to set SSH_AUTH_SOCK and to look for" \
            "livesockd. To have them taken away, install it again and run: livesock setup --undo"
    fi
    names=$(cat "$manifest")
    kept=''
    for name in $names; do
        case $name in
            "$own"/*) continue ;;
            */liblivesock.so)
                if is_preloaded "$name" || is_in_screenrc "$name"; then
                    kept=$name
                    continue
                fi
                ;;
        esac
        rm -f "$prefix/$name"
        remove_directories "$name"
    done
    if [ -n "$kept" ]; then
        say "$kept" "$own/install.sh" "$own/manifest" >"$manifest.new"
        mv -f "$manifest.new" "$manifest"
        if is_in_screenrc "$kept"; then
            say "$prefix/$kept stays for now, and does nothing: ~/.screenrc has screen preload it. When livesock's" \
                "section is gone from there, and screen has ended: $prefix/$own/install.sh --uninstall"
        else
            say "$prefix/$kept stays for now, and does nothing: programs that run, tmux or screen may have it in their" \
                "LD_PRELOAD. When they have ended: $prefix/$own/install.sh --uninstall"
        fi
        return
    fi
    rm -f "$prefix/$own/install.sh" "$manifest"
    remove_directories "$own/manifest"
    rmdir "$prefix" 2>/dev/null || true
}

case $action in
    install) install_all ;;
    uninstall) uninstall_all ;;
esac

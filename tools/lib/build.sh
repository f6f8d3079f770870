# shellcheck shell=sh
# shellcheck disable=SC2154 # set by those who source this
# How a build directory is made and kept usable. Needs common.sh.

# check_build_directory DIR: ends with a clear message unless DIR can be made, or is a build directory
# and wholly ours. (So nothing but a build directory is ever made anew.)
check_build_directory() {
    elsewhere="build elsewhere: LIVESOCK_BUILD=\$HOME/livesock-build $me"
    if [ ! -e "$1" ]; then
        [ -w "$(dirname "$1")" ] || fail "cannot write to '$(dirname "$1")'" "$elsewhere"
        return 0
    fi
    foreign=$(find "$1" ! -user "$(id -u)" -print -quit 2>/dev/null) || true
    [ -z "$foreign" ] || fail "'$foreign' belongs to $(stat -c %U "$foreign"), not to $(id -un)" \
        "remove '$1', or $elsewhere"
    [ -d "$1/meson-private" ] || [ -z "$(ls -A "$1")" ] ||
        fail "'$1' is not empty and no build directory" "$elsewhere"
}

# configured_for_this_checkout DIR: a copied or moved checkout brings a build directory that would
# build the original.
configured_for_this_checkout() {
    grep -qsF "\"source\": \"$root\"" "$1/meson-info/meson-info.json"
}

# configure DIR [OPTION...]: makes DIR a build directory with these options, from whatever it was.
configure() {
    dir=$1
    shift
    if [ -e "$dir/build.ninja" ] && configured_for_this_checkout "$dir"; then
        quietly meson setup --reconfigure "$@" "$dir" "$root" && return 0
        say "'$dir' cannot be reconfigured (see above): making it anew"
    fi
    rm -rf "$dir"
    quietly meson setup "$@" "$dir" "$root"
}

# compile DIR [TARGET...]: quiet unless it fails.
compile() {
    dir=$1
    shift
    quietly ninja -C "$dir" -j "$(nproc)" "$@"
}

# one_at_a_time CMD...: two scripts in the same checkout take turns with its build directories. The
# lock is on the checkout itself: nothing is left behind, and it ends with its holder.
one_at_a_time() {
    (
        flock -n 7 || { say "waiting for another build in this checkout"; flock 7; }
        "$@" 7<&-
    ) 7<"$root"
}

programs='livesock livesockd preload/liblivesock.so'

# build_programs: what is needed to run livesock, in $build. A build directory that is there keeps its
# options: ninja itself notices changes.
# shellcheck disable=SC2086 # a list of words
build_programs() {
    if [ ! -e "$build/build.ninja" ] || ! configured_for_this_checkout "$build"; then
        configure "$build" || return
    fi
    case $(ninja -C "$build" -n $programs 2>&1) in
        *'no work to do'*) return 0 ;;
    esac
    say "building in $build"
    compile "$build" $programs
}

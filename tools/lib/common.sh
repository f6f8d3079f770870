# shellcheck shell=sh
# shellcheck disable=SC2034 # used by those who source this
# What tools/try, tools/check and tools/demo share: how they speak and where things are. Sourced with
# `root` set to the checkout.

me=tools/${0##*/}
fail_status=1
build=${LIVESOCK_BUILD:-$root/build}

# say LINE...: everything these scripts say goes to stderr; stdout belongs to the command that is tried.
say() {
    for line in "$@"; do
        printf '%s: %s\n' "$me" "$line" >&2
    done
}

fail() {
    say "$@"
    exit "$fail_status"
}

# quietly CMD...: runs CMD and shows what it printed only when it fails. The log has no name, so that
# there is nothing to clean up whatever happens.
quietly() {
    unnamed=$(mktemp) || fail "cannot make a temporary file in ${TMPDIR:-/tmp}"
    quiet_status=0
    # shellcheck disable=SC2094 # written first, read when that has ended
    exec 5>"$unnamed" 6<"$unnamed"
    rm -f "$unnamed"
    "$@" >&5 2>&1 </dev/null 5>&- 6<&- || quiet_status=$?
    [ "$quiet_status" -eq 0 ] || cat <&6 >&2
    exec 5>&- 6<&-
    return "$quiet_status"
}

#!/bin/sh
# Installs the Debian packages that are named and missing. Run as root by tools/try and its siblings.
# A system sshd is neither started nor enabled by it: the tests run their own.
set -eu

policy=/usr/sbin/policy-rc.d
policy_made=no

clean_up() {
    if [ "$policy_made" = yes ]; then
        rm -f "$policy"
    fi
}

is_installed() {
    case $(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null) in
        installed*) ;;
        *) return 1 ;;
    esac
}

apt() {
    apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o APT::Color=0 "$@" </dev/null 9<&-
}

# The list's own lock knows no time-out.
update() {
    for pause in 5 10 20 40 0; do
        if apt update; then
            return 0
        fi
        [ "$pause" -eq 0 ] || sleep "$pause"
    done
    echo "apt-get update failed; going on with the package lists that are here"
}

# invoke-rc.d and deb-systemd-invoke ask this before they start a service. One that is there is the
# administrator's and stays.
forbid_starting_sshd() {
    if [ ! -e "$policy" ]; then
        policy_made=yes
        printf '%s\n' '#!/bin/sh' 'case "$*" in *ssh*) exit 101 ;; esac' >"$policy"
        chmod 755 "$policy"
    fi
}

disable_sshd() {
    if command -v systemctl >/dev/null; then
        systemctl disable --quiet ssh.service ssh.socket || true
        if [ -d /run/systemd/system ]; then
            systemctl stop ssh.service ssh.socket || true
        fi
    elif command -v update-rc.d >/dev/null; then
        update-rc.d ssh disable || true
    fi
    echo "openssh-server is installed; its system service is neither started nor enabled"
}

main() {
    # Several checkouts at once take turns; the lock ends with this process, and leaves no file.
    exec 9</var/lib/dpkg
    flock 9
    missing=
    with_sshd=no
    for package in "$@"; do
        if ! is_installed "$package"; then
            missing="$missing $package"
            [ "$package" != openssh-server ] || with_sshd=yes
        fi
    done
    [ -n "$missing" ] || return 0

    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8
    update
    [ "$with_sshd" = no ] || forbid_starting_sshd
    # shellcheck disable=SC2086 # a list of words
    apt install --yes --no-install-recommends $missing
    [ "$with_sshd" = no ] || disable_sshd
}

main "$@"

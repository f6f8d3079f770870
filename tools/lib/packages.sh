# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # used by, and set by, those who source this
# Which Debian packages are needed for what, and how the missing ones are installed. Needs common.sh.

# What the programs are built with.
build_packages='g++ meson pkgconf libevent-dev libfmt-dev libsodium-dev libtomlplusplus-dev
    nlohmann-json3-dev libcli11-dev'
# What trying them needs: the ssh-agent, the ssh-add.
try_packages='openssh-client python3'
demo_packages="$try_packages openssh-server tmux"
# What the tests, the second compiler and the linters need. (doctest is found through cmake.)
test_packages="$demo_packages doctest-dev cmake clang libclang-rt-dev musl-tools git mandoc shellcheck strace procps
    curl iproute2 openssl zsh fish tcsh screen dpkg-dev binutils"
# What tools/package needs besides.
package_packages="dpkg-dev binutils lintian git"

missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null) in
            installed*) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

# How apt-get can be run here: prints nothing for root, `sudo` or `sudo -n` for others; fails when
# there is no way.
root_command() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    fi
    command -v sudo >/dev/null || return 1
    if sudo -n true 2>/dev/null; then
        echo 'sudo -n'
    elif (: </dev/tty) 2>/dev/null && sudo -v; then
        echo sudo
    else
        return 1
    fi
}

# ensure_packages NAME...: installs those that are missing, or says what to install and ends.
ensure_packages() {
    if [ "${LIVESOCK_INSTALL:-yes}" = no ]; then
        return 0
    fi
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "this is no Debian or Ubuntu: building with what is here (needed: $*)"
        return 0
    fi
    missing=$(missing_packages "$@")
    missing=${missing% }
    [ -n "$missing" ] || return 0
    if ! as_root=$(root_command); then
        fail "missing packages: $missing" \
            "installing them needs root, and sudo is not there or refused. Ask an administrator for" \
            "    apt-get install $missing" \
            "(with LIVESOCK_INSTALL=no nothing is installed and what is here is used)"
    fi
    say "installing $missing"
    # Read from stdin: root may be unable to read this checkout (NFS, an encrypted home).
    # shellcheck disable=SC2086 # both are lists of words
    quietly with_stdin "$root/tools/lib/install-packages.sh" $as_root sh -s -- $missing ||
        fail "the packages could not be installed (see above). By hand:" \
            "    apt-get install $missing"
    missing=$(missing_packages "$@")
    [ -z "$missing" ] || fail "apt-get ended well, yet these are still missing: $missing"
}

# with_stdin FILE CMD...: runs CMD with FILE as its standard input.
with_stdin() {
    stdin_file=$1
    shift
    "$@" <"$stdin_file"
}

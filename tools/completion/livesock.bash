# shellcheck shell=bash
# Completion of livesock(1) for bash. Commands and options are those that the program names itself.

# Lines "WORD..." of the help of the command in "$@", between the heading $1 and the next empty line.
_livesock_words() {
    local heading=$1
    shift
    "$@" --help 2>/dev/null | sed -n "/^$heading:\$/,/^\$/s/^  \\([a-z-][^ ]*\\).*/\\1/p" | tr ',' '\n'
}

# The agents, each by its label; those that JSON has to escape are left out.
_livesock_agents() {
    echo auto
    "$1" status --json 2>/dev/null | tr '{' '\n' | sed -n 's/.*"label": *"\([^"\\]*\)".*/\1/p' | sort -u
}

# Offers those of the lines on standard input that begin with $1, as the user has quoted it.
_livesock_offer() {
    local typed=$1 line meant
    meant=${typed//\\/}
    meant=${meant#[\"\']}
    while IFS= read -r line; do
        [[ $line == "$meant"* ]] || continue
        case $typed in
            [\"\']*) ;;
            *) printf -v line %q "$line" ;;
        esac
        COMPREPLY+=("$line")
    done
}

# Bash takes a colon for the end of a word, and replaces only what comes after it.
_livesock_without_colons() {
    local before=${1%"${1##*:}"} i
    [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
}

_livesock() {
    local program=$1 current=${COMP_WORDS[COMP_CWORD]} command='' i at
    COMPREPLY=()
    for ((at = COMP_CWORD; at > 1; at--)); do
        [[ ${COMP_WORDS[at]} == :* || ${COMP_WORDS[at - 1]} == *: ]] || break
        current=${COMP_WORDS[at - 1]}$current
    done
    for ((i = 1; i < at; i++)); do
        if [[ ${COMP_WORDS[i]} != -* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    if [[ $command == run ]]; then
        # Its own options come before the command, and may end in --.
        while ((i + 1 < at)) && [[ ${COMP_WORDS[i + 1]} == -* ]]; do
            ((i++))
        done
    elif [[ $command == signing ]]; then
        for ((i++; i < at; i++)); do
            if [[ ${COMP_WORDS[i]} != -* ]]; then
                command+=" ${COMP_WORDS[i]}"
                break
            fi
        done
    fi
    if [[ $command == run && ($current != -* || ${COMP_WORDS[i]} == --) ]]; then
        if ((at == i + 1)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$current")
        else
            compopt -o default
        fi
    elif [[ $current == -* ]]; then
        # shellcheck disable=SC2086 # words
        _livesock_offer "$current" < <(_livesock_words Options "$program" $command)
    elif [[ -z $command || $command == help ]]; then
        _livesock_offer "$current" < <(_livesock_words Commands "$program")
    else
        case $command in
            use) _livesock_offer "$current" < <(_livesock_agents "$program") ;;
            setup) _livesock_offer "$current" < <(printf '%s\n' bash zsh fish csh tmux screen systemd) ;;
            register | heal) compopt -o default ;;
            signing) _livesock_offer "$current" < <(_livesock_words Commands "$program" signing) ;;
        esac
    fi
    _livesock_without_colons "$current"
}

complete -F _livesock livesock

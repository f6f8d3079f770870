# Completion of livesock(1) for fish. Commands and options are those that the program names itself.

# The words of the command line before the present one, without options.
function __livesock_command
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

# Lines "WORD<tab>what it does" from the help of a command, under a heading.
function __livesock_words --argument-names heading
    set -l inside no
    for line in (livesock $argv[2..] --help 2>/dev/null)
        if test "$line" = "$heading:"
            set inside yes
        else if test -z "$line"
            set inside no
        else if test $inside = yes
            set -l parts (string match -r -- '^  ([a-z-][^ ]*)\s.*?([A-Z].*)$' $line)
            or continue
            for word in (string split , -- $parts[2])
                printf '%s\t%s\n' $word $parts[3]
            end
        end
    end
end

# Of `signing`, its own command, if it is there.
function __livesock_signing_command
    set -l words (string match -v -- '-*' (commandline -opc)[2..])
    test "$words[1]" = signing; and set -q words[2]; and echo $words[2]
end

function __livesock_agents
    printf 'auto\tChoose by itself\n'
    livesock status --json 2>/dev/null | tr '{' '\n' | string replace -rf -- '.*"label": *"([^"\\\\]*)".*' '$1' | sort -u
end

function __livesock_is
    test "$(__livesock_command)" = "$argv[1]"
end

complete -c livesock -f
complete -c livesock -n 'not __livesock_command' -a '(__livesock_words Commands)'
complete -c livesock -n 'string match -q -- "-*" (commandline -ct); and not __livesock_is run' \
    -a '(__livesock_words Options (__livesock_command) (__livesock_signing_command))'
complete -c livesock -n '__livesock_is help' -a '(__livesock_words Commands)'
complete -c livesock -n '__livesock_is signing; and not __livesock_signing_command' -a '(__livesock_words Commands signing)'
complete -c livesock -n '__livesock_is use' -a '(__livesock_agents)'
complete -c livesock -n '__livesock_is setup' -a 'bash zsh fish csh tmux screen systemd'
complete -c livesock -n '__livesock_is register' -F
complete -c livesock -n '__livesock_is heal' -F
complete -c livesock -n '__livesock_is run' -a '(__fish_complete_subcommand --fcs-skip=2)'

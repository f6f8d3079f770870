"""Home directories as people have them, and how to tell that nothing in one has changed."""

import os
import stat

READ_ONLY = 0o444

BASHRC = b"""# ~/.bashrc: executed by bash(1) for non-login shells.
case $- in
    *i*) ;;
      *) return;;
esac
HISTCONTROL=ignoreboth
shopt -s histappend
alias ll='ls -alF'
"""

PROFILE = b"""# ~/.profile: executed by the command interpreter for login shells.
if [ -n "$BASH_VERSION" ]; then
    if [ -f "$HOME/.bashrc" ]; then
        . "$HOME/.bashrc"
    fi
fi

if [ -d "$HOME/bin" ] ; then
    PATH="$HOME/bin:$PATH"
fi
"""

KEYCHAIN = b"""[[ -f ~/.bashrc ]] && . ~/.bashrc
if command -v keychain >/dev/null; then
    eval "$(keychain --quiet --eval --agents ssh id_ed25519)"
fi
"""

SSH_AGENT = b"""SSH_ENV="$HOME/.ssh/agent-environment"
start_agent() {
    ssh-agent | sed 's/^echo/#echo/' >"$SSH_ENV"
    . "$SSH_ENV" >/dev/null
}
if [ -z "$SSH_AUTH_SOCK" ] && [ -n "$WANT_AGENT" ]; then
    start_agent
fi
"""

WEZTERM = b"""# panes of the multiplexer
if [[ -n $WEZTERM_UNIX_SOCKET && -S $XDG_RUNTIME_DIR/wezterm/agent.$$ ]]; then
  export SSH_AUTH_SOCK="$XDG_RUNTIME_DIR/wezterm/agent.$$"
fi
"""

TPM = b"""set -g mouse on
set -g @plugin 'tmux-plugins/tpm'
set -g @plugin 'tmux-plugins/tmux-sensible'

# Initialize TMUX plugin manager (keep this line at the very bottom of tmux.conf)
run 'test ! -x ~/.tmux/plugins/tpm/tpm || ~/.tmux/plugins/tpm/tpm'"""


class Link(str):
    """A symbolic link to this."""


# By what is special: what is there, by path (bytes, a Link, or bytes and a mode), the login shell, and what is added
# to its environment.
HOMES = {
    "as_debian_makes_it": ({".profile": PROFILE, ".bashrc": BASHRC, ".bash_logout": b"clear\n"}, "bash"),
    "with_crlf": ({".bash_profile": PROFILE.splitlines()[0] + b"\r\nexport EDITOR=vi\r\nexport PAGER=less\r\n",
                   ".tmux.conf": b"set -g mouse on\r\nset -g base-index 1\r\n",
                   ".login": b"setenv EDITOR vi\r\n", ".zprofile": b"export A=1\r\nexport B=2"}, "bash"),
    "without_a_final_newline": ({".profile": b"export EDITOR=vi", ".zprofile": b"\n\nexport A=1", ".login": b"set a",
                                 ".screenrc": b"startup_message off"}, "bash"),
    "linked_into_a_repository": ({"dotfiles/.git/HEAD": b"ref: refs/heads/main\n",
                                  "dotfiles/profile": (PROFILE, 0o664), "dotfiles/tmux.conf": (TPM, 0o640),
                                  "dotfiles/config/fish/config.fish": b"set -g fish_greeting\n",
                                  ".profile": Link("dotfiles/profile"), ".tmux.conf": Link("dotfiles/tmux.conf"),
                                  ".config": Link("dotfiles/config")}, "bash"),
    "with_keychain": ({".bash_profile": KEYCHAIN, ".bashrc": BASHRC, ".profile": PROFILE}, "bash"),
    "with_an_ssh_agent_of_its_own": ({".bashrc": BASHRC + SSH_AGENT, ".bash_profile": b". ~/.bashrc\n"}, "bash"),
    "with_wezterm": ({".zshrc": WEZTERM, ".wezterm.lua": b"return {}\n"}, "zsh"),
    "with_empty_files": ({".profile": b"", ".tmux.conf": b"", ".zprofile": b"", ".login": b"", ".screenrc": b"",
                          ".config/fish/conf.d/livesock.fish": b"", ".ssh/rc": b""}, "bash"),
    "with_nothing": ({}, "bash"),
    "set_up_by_hand": ({".profile": PROFILE + b'eval "$(livesock env)"\n',
                        ".config/fish/conf.d/livesock.fish": b"livesock env --fish | source\n"}, "bash"),
    "of_a_fish": ({".config/fish/config.fish": b"if status is-interactive\n    set -g fish_greeting\nend\n",
                   ".config/fish/conf.d/path.fish": (b"fish_add_path ~/bin\n", 0o600)}, "fish"),
    "of_a_csh": ({".cshrc": b"set path = ( $path ~/bin )\n", ".login": b"setenv EDITOR vi\nset noclobber\n",
                  ".tcshrc": b"source ~/.cshrc\n"}, "tcsh"),
    "with_a_plugin_manager_last": ({".config/tmux/tmux.conf": TPM, ".profile": PROFILE}, "bash"),
    "of_a_zsh_that_lives_elsewhere": ({".zshenv": b'export ZDOTDIR="$HOME/.config/zsh"\n',
                                       ".config/zsh/.zshrc": b"setopt autocd\n"}, "zsh"),
    "that_leaves_for_another_shell": ({".bash_profile": b"export A=1\n# the better one\n[ -n \"$GO\" ] && exec zsh -l\n",
                                       ".screenrc": b"# mine\n"}, "bash"),
    "that_leaves_in_blocks": ({".bash_profile": b"export A=1\nif [ -n \"$GO\" ]; then\n  # go\n  exec zsh -l\nfi",
                               ".zprofile": b"[[ -n $GO ]] &&\n  exec fish\n\n",
                               ".login": b"setenv A 1\nif ( $?GO ) then\n  exec zsh\nendif\n",
                               ".config/fish/config.fish": b"test -n \"$GO\" && exec zsh\n",
                               ".ssh/rc": b"#!/bin/sh\n# cookies\nexec /usr/local/bin/cookies\n"}, "bash"),
    "that_leaves_in_its_last_words": ({".profile": b"export A=1\r\n[ -n \"$GO\" ] && exec zsh\r\n",
                                       ".login": b"if ( $?GO ) exec zsh", ".ssh/rc": b"exec true"}, "tcsh"),
}


def furnish(home, files):
    """Puts these files into the home directory."""
    for name, what in files.items():
        path = os.path.join(home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(what, Link):
            os.symlink(what, path)
            continue
        content, mode = what if isinstance(what, tuple) else (what, 0o644)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)


def snapshot(home):
    """All that is in the home directory: kind, mode, owner and content, by path."""
    found = {}
    for directory, directories, files in os.walk(home):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, home)] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
    return found

// What a shell, or a command started by `run`, finds in its environment. Pure text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livesock {

/// The syntaxes in which `env` prints.
enum class Shell {
    posix, ///< sh, bash, dash, zsh, ksh
    csh,   ///< csh, tcsh
    fish,
};

/// The shell at `path` ($SHELL) by its name; posix if it is none of the others.
[[nodiscard]] Shell shell_called(std::string_view path);

/// `text` as one word of `shell` that expands to exactly `text`.
[[nodiscard]] std::string quoted(Shell shell, std::string_view text);

/// `text` as one word of `shell`, as a person would write it: in quotes only if it needs them.
[[nodiscard]] std::string quoted_word(Shell shell, std::string_view text);

/// Names and values, in the order in which they are set.
using Variables = std::vector<std::pair<std::string, std::string>>;

/// The command of `shell` that exports `name` with what `word`, a word of that shell, expands to.
[[nodiscard]] std::string export_command(Shell shell, std::string_view name, std::string_view word);

/// The command of `shell` that takes `name` out of its environment.
[[nodiscard]] std::string unset_command(Shell shell, std::string_view name);

/// The commands of `shell` that export `variables`, one a line, each ending in ';'.
[[nodiscard]] std::string export_commands(Shell shell, const Variables& variables);

/// The tmux(1) command, by words, that gives new panes `variables`; the sessions' own ones, from
/// the client that attached, come before them.
[[nodiscard]] std::vector<std::string> tmux_command(const Variables& variables);

/// Whether ld.so(8) can be told of `shim`: it separates paths by blanks and colons, and takes a
/// name without '/' for something to search.
[[nodiscard]] bool can_be_preloaded(std::string_view shim);

/// The LD_PRELOAD that has `shim` after everything of `present`, once. Another copy of it (of the
/// same file name) that `present` names is left out.
[[nodiscard]] std::string composed_preload(std::string_view present, std::string_view shim);

/// The ASAN_OPTIONS with which programs built with -fsanitize=address start under a preload. What
/// `present` says about it stays.
[[nodiscard]] std::string composed_asan_options(std::string_view present);

} // namespace livesock

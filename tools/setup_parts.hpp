// Which files `livesock setup` writes sections into, and what they say. Pure, but for the question
// which files there are.
#pragma once

#include "supervisor/base/result.hpp"
#include "tools/setup_section.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// What stands first in each section and file.
inline constexpr std::string_view setup_note =
    "# Written by 'livesock setup'; 'livesock setup --undo' takes it away again.";

/// What can be set up, by the name that the command line has for it.
enum class Part { bash, zsh, fish, csh, tmux, screen, systemd, ssh_rc };

[[nodiscard]] std::string_view name_of(Part part);
[[nodiscard]] std::optional<Part> part_called(std::string_view name);
/// All of them, in the order in which they are set up.
[[nodiscard]] std::span<const Part> all_parts();

/// What the sections depend on.
struct Surroundings {
    std::string home;
    std::string config_home; ///< $XDG_CONFIG_HOME or ~/.config
    std::string zdotdir;     ///< where zsh looks for its files
    std::string login_shell; ///< $SHELL
    std::string program;     ///< livesock, an absolute path
    std::string supervisor;  ///< livesockd, the same
    std::string shim;        ///< liblivesock.so; empty where there is none
    std::string directory;   ///< the runtime directory
    bool has_units = false;  ///< the service manager finds the units of the installation by itself
    bool has_tmux = false;   ///< tmux is installed
    std::function<bool(const std::string&)> exists; ///< whether there is a file of that path
};

/// A file, and the section that it shall have.
struct PlannedFile {
    std::string path;
    Section section;
    bool is_for_shell = false; ///< a shell reads it from its beginning to its end
};

/// Whether the login shell at the path `shell` is one that some part is for; so is an unknown one,
/// the empty path.
[[nodiscard]] bool is_known_shell(std::string_view shell);

/// Those that are set up where none is named: the login shell, shells and screen where they have a
/// file already, tmux where it is installed.
[[nodiscard]] std::vector<Part> usual_parts(const Surroundings& around);

/// The files that `part` wants. Error: why it cannot be set up here.
[[nodiscard]] Result<std::vector<PlannedFile>> planned_files(Part part, const Surroundings& around);

/// All files in which a section of `part` may be, whatever there was when it was written.
[[nodiscard]] std::vector<std::string> possible_files(Part part, const Surroundings& around);

/// The value that `zshenv`, the text of ~/.zshenv, gives to ZDOTDIR where it is built of plain
/// words, ~, $HOME and $XDG_CONFIG_HOME only.
[[nodiscard]] std::optional<std::string>
zdotdir_in(std::string_view zshenv, const std::string& home, const std::string& config_home);

} // namespace livesock

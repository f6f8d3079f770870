#include "tools/setup_parts.hpp"

#include "preload/report.h"
#include "tools/exports.hpp"
#include "tools/setup_units.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::array<std::pair<Part, std::string_view>, 8> names = {{
    {Part::bash, "bash"},
    {Part::zsh, "zsh"},
    {Part::fish, "fish"},
    {Part::csh, "csh"},
    {Part::tmux, "tmux"},
    {Part::screen, "screen"},
    {Part::systemd, "systemd"},
    {Part::ssh_rc, "ssh-rc"},
}};

/// Those of `files` that the shell may read at a login, the one that it prefers first.
std::vector<std::string> bash_files(const Surroundings& around) {
    return {around.home + "/.bash_profile", around.home + "/.bash_login",
            around.home + "/.profile"};
}

std::vector<std::string> tmux_files(const Surroundings& around) {
    return {around.home + "/.tmux.conf", around.config_home + "/tmux/tmux.conf"};
}

/// The first of `files` that exists, else `otherwise`.
std::string existing(const Surroundings& around, const std::vector<std::string>& files,
                     const std::string& otherwise) {
    const auto found = std::find_if(files.begin(), files.end(), around.exists);
    return found == files.end() ? otherwise : *found;
}

/// `text` as one word of the shell; without quotes where it needs none.
std::string word(Shell shell, const std::string& text) {
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/._-+,@").find(c) != std::string_view::npos;
    });
    return is_plain ? text : quoted(shell, text);
}

/// `path` as a word of the shell; below the home directory by way of $HOME, so that the file can be
/// the same on several machines.
std::string path_word(const Surroundings& around, Shell shell, const std::string& path) {
    const std::string below = around.home + '/';
    if (around.home.size() > 1 && path.starts_with(below))
        return "\"$HOME\"/" + word(shell, path.substr(below.size()));
    return word(shell, path);
}

/// What calls livesock: its name where every shell finds it, else its path.
std::string program_word(const Surroundings& around, Shell shell) {
    for (const std::string_view directory : {"/usr/bin/", "/usr/local/bin/", "/bin/"})
        if (around.program == std::string(directory) + "livesock")
            return "livesock";
    return path_word(around, shell, around.program);
}

/// One line, as a CRLF file allows no other: see rendered().
PlannedFile posix_file(const Surroundings& around, std::string path) {
    const std::string program = program_word(around, Shell::posix);
    return {std::move(path),
            {Placement::before_exec,
             {std::string(setup_note),
              fmt::format("if command -v {0} >/dev/null 2>&1; then eval \"$({0} env -s "
                          "--keep-own)\"; fi",
                          program)}},
            true};
}

PlannedFile csh_file(const Surroundings& around, std::string path) {
    const std::string program = program_word(around, Shell::csh);
    // csh substitutes commands even in what an `if` of one line does not come to: so a block.
    return {std::move(path),
            {Placement::before_exec,
             {std::string(setup_note), fmt::format("which {} >& /dev/null", program),
              "if ( $status == 0 ) then", fmt::format("eval `{} env -c --keep-own`", program),
              "endif"}},
            true};
}

PlannedFile fish_file(const Surroundings& around) {
    const std::string program = program_word(around, Shell::fish);
    return {
        around.config_home + "/fish/conf.d/livesock.fish",
        {Placement::end,
         {std::string(setup_note),
          fmt::format("status is-login; and type -q {0}; and {0} env --fish --keep-own | source",
                      program)}}};
}

/// tmux expands '#' in the command; the quotes of sh are those of tmux.
std::string tmux_word(std::string_view command) {
    std::string doubled;
    for (const char c : command)
        doubled += c == '#' ? std::string("##") : std::string(1, c);
    return quoted(Shell::posix, doubled);
}

PlannedFile tmux_file(const Surroundings& around) {
    const std::string program = program_word(around, Shell::posix);
    const std::string command = fmt::format("if command -v {0} >/dev/null 2>&1; then {0} env "
                                            "--tmux --keep-own --preload || :; fi",
                                            program);
    std::vector<std::string> lines{std::string(setup_note), "run-shell " + tmux_word(command)};
    // For policy = "active-client": tmux itself tells in whole seconds who typed. With a place of
    // their own they leave other hooks alone; -q is for a tmux that does not know them.
    for (const char* const hook : {"client-attached", "client-active"})
        lines.push_back(fmt::format(
            "set-option -gq '{}[72]' \"set-option -F @livesock_active '#{{hook_client}}'\"", hook));
    return {existing(around, tmux_files(around), tmux_files(around).front()),
            {Placement::before_plugins, std::move(lines)}};
}

/// screen cannot ask anything, so SSH_AUTH_SOCK is not set: the shim leads no program away from a
/// path that answers.
Result<PlannedFile> screen_file(const Surroundings& around) {
    if (around.shim.empty() || !can_be_preloaded(around.shim))
        return Error{"screen gets the preload library, and there is none that can be preloaded"};
    constexpr std::string_view special = "$\"'\\#^ ";
    if (around.shim.find_first_of(special) != std::string::npos ||
        around.directory.find_first_of(special) != std::string::npos)
        return Error{fmt::format("screen would not take the paths '{}' and '{}' as they are",
                                 around.shim, around.directory)};
    return PlannedFile{around.home + "/.screenrc",
                       {Placement::end,
                        {std::string(setup_note),
                         fmt::format("setenv {} \"{}\"", directory_variable, around.directory),
                         fmt::format("setenv LD_PRELOAD \"$LD_PRELOAD:{}\"", around.shim),
                         "setenv ASAN_OPTIONS \"$ASAN_OPTIONS:verify_asan_link_order=0\""}}};
}

/// sshd(8) leaves the X11 cookie to this file where there is one; a new one does what is written
/// there.
PlannedFile ssh_rc_file(const Surroundings& around) {
    const std::string program = program_word(around, Shell::posix);
    return {
        around.home + "/.ssh/rc",
        {Placement::before_exec,
         {std::string(setup_note),
          fmt::format("if command -v {0} >/dev/null 2>&1; then {0} env -s </dev/null "
                      ">/dev/null 2>&1; fi",
                      program)},
         {"if read proto cookie && [ -n \"$DISPLAY\" ]; then",
          "    if [ \"$(echo \"$DISPLAY\" | cut -c1-10)\" = 'localhost:' ]; then",
          "        echo \"add unix:$(echo \"$DISPLAY\" | cut -c11-) $proto $cookie\"", "    else",
          "        echo \"add $DISPLAY $proto $cookie\"", "    fi | xauth -q -", "fi"}},
        true};
}

/// The part that a login shell at the path `shell` reads its files of; nothing if it is not known.
std::optional<Part> part_of_shell(std::string_view shell) {
    const std::string_view name = shell.substr(shell.rfind('/') + 1);
    for (const std::string_view one :
         {"", "bash", "rbash", "sh", "dash", "ash", "ksh", "ksh93", "mksh", "yash"})
        if (name == one)
            return Part::bash;
    if (name == "zsh")
        return Part::zsh;
    if (name == "fish")
        return Part::fish;
    return name.ends_with("csh") ? std::optional(Part::csh) : std::nullopt;
}

bool is_used(Part part, const Surroundings& around) {
    const auto any_of = [&around](const std::string& place,
                                  std::initializer_list<const char*> files) {
        return std::any_of(files.begin(), files.end(),
                           [&](const char* name) { return around.exists(place + name); });
    };
    if (part == part_of_shell(around.login_shell))
        return true;
    switch (part) {
    case Part::bash:
        return any_of(around.home, {"/.bash_profile", "/.bash_login"});
    case Part::zsh:
        return any_of(around.zdotdir, {"/.zprofile", "/.zshrc", "/.zlogin"});
    case Part::fish:
        return any_of(around.config_home, {"/fish/config.fish"});
    case Part::csh:
        return any_of(around.home, {"/.login", "/.cshrc", "/.tcshrc"});
    case Part::tmux:
        return around.has_tmux;
    case Part::screen:
        return any_of(around.home, {"/.screenrc"});
    case Part::systemd:
    case Part::ssh_rc:
        return false;
    }
    return false;
}

} // namespace

std::string_view name_of(Part part) {
    return std::find_if(names.begin(), names.end(),
                        [part](const auto& entry) { return entry.first == part; })
        ->second;
}

std::optional<Part> part_called(std::string_view name) {
    for (const auto& [part, word] : names)
        if (word == name)
            return part;
    return std::nullopt;
}

std::span<const Part> all_parts() {
    static constexpr std::array<Part, 8> parts = {Part::bash,    Part::zsh,   Part::fish,
                                                  Part::csh,     Part::tmux,  Part::screen,
                                                  Part::systemd, Part::ssh_rc};
    return parts;
}

bool is_known_shell(std::string_view shell) {
    return part_of_shell(shell).has_value();
}

std::vector<Part> usual_parts(const Surroundings& around) {
    std::vector<Part> parts;
    for (const Part part : all_parts())
        if (is_used(part, around))
            parts.push_back(part);
    return parts;
}

Result<std::vector<PlannedFile>> planned_files(Part part, const Surroundings& around) {
    using Files = std::vector<PlannedFile>;
    switch (part) {
    case Part::bash:
        return Files{
            posix_file(around, existing(around, bash_files(around), around.home + "/.profile"))};
    case Part::zsh:
        return Files{posix_file(around, around.zdotdir + "/.zprofile")};
    case Part::fish:
        return Files{fish_file(around)};
    case Part::csh:
        return Files{csh_file(around, around.home + "/.login")};
    case Part::tmux:
        return Files{tmux_file(around)};
    case Part::screen: {
        const Result<PlannedFile> file = screen_file(around);
        return file ? Result<Files>(Files{*file}) : file.error();
    }
    case Part::systemd:
        return unit_files(around);
    case Part::ssh_rc:
        return Files{ssh_rc_file(around)};
    }
    return Files{};
}

std::vector<std::string> possible_files(Part part, const Surroundings& around) {
    switch (part) {
    case Part::bash:
        return bash_files(around);
    case Part::zsh:
        return {around.zdotdir + "/.zprofile"};
    case Part::tmux:
        return tmux_files(around);
    case Part::screen:
        return {around.home + "/.screenrc"};
    case Part::systemd:
        return possible_unit_files(around);
    case Part::fish:
        return {fish_file(around).path};
    case Part::csh:
        return {around.home + "/.login"};
    case Part::ssh_rc:
        return {ssh_rc_file(around).path};
    }
    return {};
}

std::optional<std::string> zdotdir_in(std::string_view zshenv, const std::string& home,
                                      const std::string& config_home) {
    constexpr std::string_view name = "ZDOTDIR=";
    const std::size_t at = zshenv.find(name);
    if (at == std::string_view::npos)
        return std::nullopt;
    std::string value(zshenv.substr(at + name.size()));
    value.resize(std::min(value.find_first_of(" \t\r\n;"), value.size()));
    std::erase_if(value, [](char c) { return c == '"' || c == '\''; });
    const std::pair<std::string_view, const std::string&> words[] = {
        {"${XDG_CONFIG_HOME:-$HOME/.config}", config_home},
        {"${XDG_CONFIG_HOME:-${HOME}/.config}", config_home},
        {"${XDG_CONFIG_HOME:-~/.config}", config_home},
        {"${XDG_CONFIG_HOME}", config_home},
        {"$XDG_CONFIG_HOME", config_home},
        {"${HOME}", home},
        {"$HOME", home},
        {"~", home},
    };
    for (const auto& [word, meaning] : words)
        if (value.starts_with(word)) {
            value.replace(0, word.size(), meaning);
            break;
        }
    if (!value.starts_with('/') || value.find_first_of("$`~*") != std::string::npos)
        return std::nullopt;
    while (value.size() > 1 && value.ends_with('/'))
        value.pop_back();
    return value;
}

} // namespace livesock

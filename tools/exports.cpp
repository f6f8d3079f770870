#include "tools/exports.hpp"

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::string_view preload_separators = ": ";
constexpr std::string_view asan_separators = ":, \t\n\r";
constexpr std::string_view asan_option = "verify_asan_link_order";

std::string_view file_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(separators), text.size());
        if (end > 0)
            parts.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

/// In single quotes, where only the quote itself has to leave them.
std::string posix_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + '\'';
}

/// csh expands '!' even in single quotes, and ends a line at a newline unless a backslash stands
/// before it; outside the quotes a backslash does for all three.
std::string csh_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '!')
            out += std::string("'\\") + c + '\'';
        else if (c == '\n')
            out += "\\\n";
        else
            out += c;
    }
    return out + '\'';
}

std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + '\'';
}

} // namespace

Shell shell_called(std::string_view path) {
    const std::string_view name = file_name(path);
    if (name == "fish")
        return Shell::fish;
    return name.ends_with("csh") ? Shell::csh : Shell::posix;
}

std::string quoted(Shell shell, std::string_view text) {
    switch (shell) {
    case Shell::posix:
        return posix_quoted(text);
    case Shell::csh:
        return csh_quoted(text);
    case Shell::fish:
        return fish_quoted(text);
    }
    return {};
}

std::string quoted_word(Shell shell, std::string_view text) {
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "/._-+,@%:";
    return text.empty() || text.find_first_not_of(plain) != std::string_view::npos
               ? quoted(shell, text)
               : std::string(text);
}

std::string export_command(Shell shell, std::string_view name, std::string_view word) {
    switch (shell) {
    case Shell::posix:
        return fmt::format("export {}={}", name, word);
    case Shell::csh:
        return fmt::format("setenv {} {}", name, word);
    case Shell::fish:
        return fmt::format("set -gx {} {}", name, word);
    }
    return {};
}

std::string unset_command(Shell shell, std::string_view name) {
    switch (shell) {
    case Shell::posix:
        return fmt::format("unset {}", name);
    case Shell::csh:
        return fmt::format("unsetenv {}", name);
    case Shell::fish:
        return fmt::format("set -e {}", name);
    }
    return {};
}

std::string export_commands(Shell shell, const Variables& variables) {
    std::string out;
    for (const auto& [name, value] : variables)
        out += export_command(shell, name, quoted(shell, value)) + ";\n";
    return out;
}

std::vector<std::string> tmux_command(const Variables& variables) {
    std::vector<std::string> words{"tmux"};
    for (const auto& [name, value] : variables) {
        if (words.size() > 1)
            words.emplace_back(";");
        // tmux takes a word that ends in ';' for the end of a command.
        const bool ends = value.ends_with(';');
        words.insert(words.end(), {"set-environment", "-g", name,
                                   ends ? value.substr(0, value.size() - 1) + "\\;" : value});
    }
    return words;
}

bool can_be_preloaded(std::string_view shim) {
    return shim.find('/') != std::string_view::npos &&
           shim.find_first_of(preload_separators) == std::string_view::npos;
}

std::string composed_preload(std::string_view present, std::string_view shim) {
    std::string out;
    bool named = false;
    for (const std::string_view part : split(present, preload_separators)) {
        const bool ours = part == shim && !named;
        if (!ours && file_name(part) == file_name(shim))
            continue;
        named = named || ours;
        out += out.empty() ? "" : ":";
        out += part;
    }
    if (named)
        return out;
    out += out.empty() ? "" : ":";
    return out += shim;
}

std::string composed_asan_options(std::string_view present) {
    for (const std::string_view part : split(present, asan_separators))
        if (part.substr(0, part.find('=')) == asan_option)
            return std::string(present);
    std::string out(present);
    out += present.empty() ? "" : ":";
    out += asan_option;
    return out += "=0";
}

} // namespace livesock

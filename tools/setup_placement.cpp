#include "tools/setup_placement.hpp"

#include <algorithm>
#include <array>

namespace livesock {
namespace {

std::string_view without_indent(std::string_view line) {
    const std::size_t start = line.find_first_not_of(" \t");
    return start == std::string_view::npos ? std::string_view{} : line.substr(start);
}

/// Whether the command of this line goes on in the next one.
bool goes_on(std::string_view line) {
    constexpr std::array<std::string_view, 8> openers = {"&&", "||", "|", "then",
                                                         "do", "{",  "(", "else"};
    return ends_in_backslash(line) ||
           std::any_of(openers.begin(), openers.end(),
                       [line](std::string_view word) { return line.ends_with(word); });
}

bool runs_plugin_manager(std::string_view line) {
    return without_indent(line).starts_with("run") &&
           line.find("tpm/tpm") != std::string_view::npos;
}

} // namespace

std::vector<Line> lines_of(std::string_view text) {
    std::vector<Line> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t newline = text.find('\n', begin);
        const std::size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
        std::string_view line = text.substr(begin, end - begin);
        if (line.ends_with('\n'))
            line.remove_suffix(1);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        lines.push_back({begin, end, line});
        begin = end;
    }
    return lines;
}

bool is_code(std::string_view line) {
    const std::string_view bare = without_indent(line);
    return !bare.empty() && bare.front() != '#';
}

bool ends_in_backslash(std::string_view line) {
    const std::size_t other = line.find_last_not_of('\\');
    const std::size_t count = line.size() - (other == std::string_view::npos ? 0 : other + 1);
    return count % 2 == 1;
}

bool becomes_another(std::string_view line) {
    constexpr std::string_view word = "exec ";
    if (!is_code(line))
        return false;
    for (std::size_t at = line.find(word); at != std::string_view::npos;
         at = line.find(word, at + 1)) {
        const bool is_word =
            at == 0 || std::string_view(" \t;&|(").find(line[at - 1]) != std::string_view::npos;
        const std::string_view next = without_indent(line.substr(at + word.size()));
        const bool names = !next.empty() && std::string_view("<>&0123456789#").find(next.front()) ==
                                                std::string_view::npos;
        if (is_word && names)
            return true;
    }
    return false;
}

std::size_t line_for(const std::vector<Line>& lines, Placement placement) {
    std::size_t at = lines.size();
    if (placement == Placement::before_plugins) {
        const auto found = std::find_if(lines.begin(), lines.end(), [](const Line& line) {
            return runs_plugin_manager(line.text);
        });
        at = static_cast<std::size_t>(found - lines.begin());
    } else if (placement == Placement::before_exec) {
        const auto last = std::find_if(lines.rbegin(), lines.rend(),
                                       [](const Line& line) { return is_code(line.text); });
        const bool leaves = last != lines.rend() && without_indent(last->text) == last->text &&
                            becomes_another(last->text);
        if (leaves)
            at = static_cast<std::size_t>(lines.rend() - last) - 1;
    }
    if (at == lines.size())
        return at;
    // The comment above a line belongs to it.
    while (at > 0 && lines[at - 1].text.starts_with('#'))
        --at;
    return at > 0 && goes_on(lines[at - 1].text) ? lines.size() : at;
}

} // namespace livesock

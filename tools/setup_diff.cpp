#include "tools/setup_diff.hpp"

#include "supervisor/base/escape.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::size_t context = 3;

/// The lines of a text; all but the last one with their newline.
std::vector<std::string_view> whole_lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t length = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return lines;
}

/// printable(), but that tabs stay: they are part of how such files look.
std::string with_tabs(std::string_view line) {
    const std::size_t tab = line.find('\t');
    std::string out = printable(line.substr(0, tab));
    for (std::size_t begin = tab; begin != std::string_view::npos;) {
        const std::size_t end = line.find('\t', begin + 1);
        out += '\t' + printable(line.substr(begin + 1, end - begin - 1));
        begin = end;
    }
    return out;
}

std::string diff_line(const View& view, Colour colour, char sign, std::string_view line) {
    const bool ended = line.ends_with('\n');
    line.remove_suffix(ended ? 1 : 0);
    std::string out = coloured(view, colour, sign + with_tabs(line)) + '\n';
    return out += ended ? "" : "\\ No newline at end of file\n";
}

std::string range(std::size_t first, std::size_t count) {
    return fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

} // namespace

std::string unified_diff(const View& view, const std::string& name,
                         std::optional<std::string_view> before,
                         std::optional<std::string_view> after) {
    if (before == after)
        return {};
    const auto old_lines = whole_lines_of(before.value_or(""));
    const auto new_lines = whole_lines_of(after.value_or(""));
    const std::size_t shorter = std::min(old_lines.size(), new_lines.size());
    std::size_t head = 0;
    while (head < shorter && old_lines[head] == new_lines[head])
        ++head;
    std::size_t tail = 0;
    while (tail < shorter - head &&
           old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail])
        ++tail;
    const std::size_t first = head - std::min(head, context);
    const std::size_t old_last = old_lines.size() - tail;
    const std::size_t new_last = new_lines.size() - tail;
    const std::size_t after_it = std::min(tail, context);

    std::string out =
        fmt::format("--- {}\n+++ {}\n", before ? name : "/dev/null", after ? name : "/dev/null");
    out += fmt::format("@@ -{} +{} @@\n", range(first, old_last + after_it - first),
                       range(first, new_last + after_it - first));
    for (std::size_t i = first; i < head; ++i)
        out += diff_line(view, Colour::none, ' ', old_lines[i]);
    for (std::size_t i = head; i < old_last; ++i)
        out += diff_line(view, Colour::red, '-', old_lines[i]);
    for (std::size_t i = head; i < new_last; ++i)
        out += diff_line(view, Colour::green, '+', new_lines[i]);
    for (std::size_t i = 0; i < after_it; ++i)
        out += diff_line(view, Colour::none, ' ', old_lines[old_last + i]);
    return out;
}

} // namespace livesock

#include "tools/setup_placement.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

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

/// The words of a line, without what parts commands in a shell.
std::vector<std::string_view> words_of(std::string_view line) {
    constexpr std::string_view separators = " \t;&|()";
    std::vector<std::string_view> words;
    for (std::size_t begin = line.find_first_not_of(separators); begin < line.size();) {
        const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        begin = line.find_first_not_of(separators, end);
    }
    return words;
}

/// How many blocks of sh or csh the line opens, less those that it closes. Where that is not clear
/// it is too low: a block is taken to begin further up, or nowhere, but not in its middle.
int opened_by(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty())
        return 0;
    const auto has = [&words](std::string_view word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    // In csh `if ( condition ) command` opens none, and `case` is a label.
    const std::string_view rest = line.substr(line.find(words[0]) + words[0].size());
    const bool opens = words[0] == "if" ? has("then") || !without_indent(rest).starts_with('(')
                                        : words[0] == "case" && has("in");
    return int{opens} - static_cast<int>(std::count_if(words.begin(), words.end(), [](auto word) {
               return word == "fi" || word == "esac" || word == "endif";
           }));
}

bool ends_script(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    return !words.empty() && (words[0] == "exit" || words[0] == "return");
}

/// Whether a quote that begins in these lines does not end in them, or the other way round.
bool has_half_a_quote(std::span<const Line> lines) {
    const auto is_odd = [lines](char quote) {
        std::ptrdiff_t count = 0;
        for (const Line& line : lines)
            count += is_code(line.text) ? std::ranges::count(line.text, quote) : 0;
        return count % 2 == 1;
    };
    return is_odd('\'') || is_odd('"');
}

/// The index of the first line of the last statement of `lines`, if a shell may not come to what
/// is behind that. Nothing where it is not certain that the statement begins there.
std::optional<std::size_t> last_that_leaves(std::span<const Line> lines) {
    int open = 0;
    bool leaves = false;
    for (std::size_t i = lines.size(); i-- > 0;) {
        const std::string_view line = lines[i].text;
        if (!is_code(line))
            continue;
        open -= opened_by(line);
        leaves |= becomes_another(line) || ends_script(line);
        if (open > 0 || (i > 0 && goes_on(lines[i - 1].text)))
            continue;
        const bool is_certain = open == 0 && without_indent(line) == line;
        return leaves && is_certain && !has_half_a_quote(lines.subspan(i)) ? std::optional(i)
                                                                           : std::nullopt;
    }
    return std::nullopt;
}

bool runs_plugin_manager(std::string_view line) {
    return without_indent(line).starts_with("run") &&
           line.find("tpm/tpm") != std::string_view::npos;
}

} // namespace

std::vector<Line> line_spans_of(std::string_view text) {
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
            at == 0 || std::string_view(" \t;&|()").find(line[at - 1]) != std::string_view::npos;
        const std::string_view next = without_indent(line.substr(at + word.size()));
        const bool names =
            !next.empty() &&
            std::string_view("<>&0123456789#{").find(next.front()) == std::string_view::npos;
        if (is_word && names)
            return true;
    }
    return false;
}

std::size_t line_for(std::span<const Line> lines, Placement placement) {
    std::size_t at = lines.size();
    if (placement == Placement::before_plugins) {
        const auto found = std::find_if(lines.begin(), lines.end(), [](const Line& line) {
            return runs_plugin_manager(line.text);
        });
        at = static_cast<std::size_t>(found - lines.begin());
    } else if (placement == Placement::before_exec) {
        while (const auto start = last_that_leaves(lines.first(at)))
            at = *start;
    }
    if (at == lines.size())
        return at;
    // The comment above a line belongs to it.
    while (at > 0 && lines[at - 1].text.starts_with('#') && !lines[at - 1].text.starts_with("#!"))
        --at;
    return at > 0 && goes_on(lines[at - 1].text) ? lines.size() : at;
}

} // namespace livesock

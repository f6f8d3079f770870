#include "tools/setup_placement.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>

namespace livesock {
namespace {

constexpr std::string_view space_or_tab = " \t";
constexpr std::string_view quote_marks = "'\"`";
constexpr std::string_view word_separators = " \t;&|()";

bool has(std::string_view characters, char c) {
    return characters.find(c) != std::string_view::npos;
}

std::string_view without_indent(std::string_view line) {
    const std::size_t start = line.find_first_not_of(space_or_tab);
    return start == std::string_view::npos ? std::string_view{} : line.substr(start);
}

/// The words of a line, without what parts commands in a shell.
std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t begin = line.find_first_not_of(word_separators); begin < line.size();) {
        const std::size_t end = std::min(line.find_first_of(word_separators, begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        begin = line.find_first_not_of(word_separators, end);
    }
    return words;
}

/// How many blocks of sh or csh the line opens, less those that it closes. Where that is not clear
/// it is too low: a block is taken to begin further up, or nowhere, but not in its middle.
int opened_by(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty())
        return 0;
    const auto names = [&words](std::string_view word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    // In csh `if ( condition ) command` opens none, and `case` is a label.
    const std::string_view rest = line.substr(line.find(words[0]) + words[0].size());
    const bool opens = words[0] == "if" ? names("then") || !without_indent(rest).starts_with('(')
                                        : words[0] == "case" && names("in");
    return int{opens} - static_cast<int>(std::count_if(words.begin(), words.end(), [](auto word) {
               return word == "fi" || word == "esac" || word == "endif";
           }));
}

bool ends_script(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    return !words.empty() && (words[0] == "exit" || words[0] == "return");
}

/// What the lines above a line have begun and not ended, or the other way round.
struct Above {
    char quote = '\0';
    int parentheses = 0;
    int braces = 0;
    int loops = 0;
    bool goes_on = false; ///< the last command

    bool is_within() const {
        return quote != '\0' || parentheses != 0 || braces != 0 || loops != 0;
    }
};

/// The line without what is quoted in it and without its comment. `quote` is the one it begins in,
/// and then the one it ends in.
std::string bare_code(std::string_view line, char& quote) {
    std::string code;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\\' && quote != '\'') {
            code += ++i < line.size() ? '_' : c;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '#' && (i == 0 || has(space_or_tab, line[i - 1]))) {
            break;
        } else {
            code += c;
            quote = has(quote_marks, c) ? c : '\0';
        }
    }
    return code.erase(code.find_last_not_of(space_or_tab) + 1);
}

/// Whether the command that ends this code goes on in the next line.
bool goes_on(std::string_view code) {
    constexpr std::array<std::string_view, 8> openers = {"&&",   "||", "|",  "then",
                                                         "else", "{",  "()", "\\"};
    return std::any_of(openers.begin(), openers.end(),
                       [code](std::string_view word) { return code.ends_with(word); });
}

/// For each line what is above it, and behind these what is above the end.
std::vector<Above> above_each(std::span<const Line> lines) {
    std::vector<Above> all(1);
    for (const Line& line : lines) {
        Above above = all.back();
        const std::string code = bare_code(line.text, above.quote);
        for (const char c : code) {
            above.braces += int{c == '{'} - int{c == '}'};
            // That of a pattern of `case` ends nothing.
            above.parentheses = std::max(0, above.parentheses + int{c == '('} - int{c == ')'});
        }
        for (const std::string_view word : words_of(code))
            above.loops += int{word == "do"} - int{word == "done"};
        above.goes_on = code.empty() ? above.goes_on : goes_on(code);
        all.push_back(above);
    }
    return all;
}

/// Whether the line can be the first one of a statement, and not the body of a loop or function.
bool can_begin(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    return without_indent(line) == line && !words.empty() && words[0] != "do" && words[0] != "{";
}

/// The index of the first line of the last statement of `lines`, if a shell may not come to what
/// is behind that. Nothing where it is not certain that the statement begins there.
std::optional<std::size_t> last_that_leaves(std::span<const Line> lines,
                                            const std::vector<Above>& above) {
    if (above[lines.size()].is_within())
        return std::nullopt;
    int open = 0;
    bool leaves = false;
    for (std::size_t i = lines.size(); i-- > 0;) {
        const std::string_view line = lines[i].text;
        if (!is_code(line))
            continue;
        open -= opened_by(line);
        leaves |= becomes_another(line) || ends_script(line);
        if (open > 0 || (above[i].goes_on && !above[i].is_within()))
            continue;
        const bool is_certain = open == 0 && !above[i].is_within() && can_begin(line);
        return leaves && is_certain ? std::optional(i) : std::nullopt;
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
    constexpr std::string_view word = "exec";
    if (!is_code(line))
        return false;
    for (std::size_t at = line.find(word); at != std::string_view::npos;
         at = line.find(word, at + 1)) {
        const std::string_view behind = line.substr(at + word.size());
        const std::string_view next = without_indent(behind);
        const bool is_word =
            (at == 0 || has(word_separators, line[at - 1])) && next.size() < behind.size();
        if (is_word && !next.empty() && !has("<>&0123456789#{", next.front()))
            return true;
    }
    return false;
}

std::size_t line_for(std::span<const Line> lines, Placement placement) {
    const std::vector<Above> above = above_each(lines);
    std::size_t at = lines.size();
    if (placement == Placement::before_plugins) {
        const auto found = std::find_if(lines.begin(), lines.end(), [](const Line& line) {
            return runs_plugin_manager(line.text);
        });
        at = static_cast<std::size_t>(found - lines.begin());
    } else if (placement == Placement::before_exec) {
        while (const auto start = last_that_leaves(lines.first(at), above))
            at = *start;
    }
    if (at == lines.size())
        return at;
    // The comment above a line belongs to it.
    while (at > 0 && above[at - 1].quote == '\0' && lines[at - 1].text.starts_with('#') &&
           !lines[at - 1].text.starts_with("#!"))
        --at;
    return above[at].goes_on ? lines.size() : at;
}

} // namespace livesock

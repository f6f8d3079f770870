#include "tools/setup_section.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::string_view begin_marker = "# >>> livesock setup >>>";
constexpr std::string_view end_marker = "# <<< livesock setup <<<";
constexpr std::string_view newline_note = "newline added";
constexpr std::string_view file_note = "new file";
constexpr std::string_view directories_note = ", new directories: ";
/// More than this are not made, and no marker is believed that says so.
constexpr std::size_t most_directories = 9;

/// Where the section of a text is: the indices of its marker lines.
struct Found {
    std::size_t first = 0;
    std::size_t last = 0;
};

Result<std::optional<Found>> find_section(const std::vector<Line>& lines) {
    std::optional<std::size_t> first;
    std::optional<Found> found;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const bool begins = lines[i].text.starts_with(begin_marker);
        const bool ends = lines[i].text.starts_with(end_marker);
        if (!begins && !ends)
            continue;
        if (found)
            return Error{
                fmt::format("line {} belongs to a second section: remove one by hand", i + 1)};
        if (begins == first.has_value())
            return Error{fmt::format("the marker in line {} has no counterpart: remove the section "
                                     "by hand",
                                     i + 1)};
        if (begins)
            first = i;
        else
            found = Found{*std::exchange(first, std::nullopt), i};
    }
    if (first)
        return Error{fmt::format("the section that begins in line {} has no end: remove it by hand",
                                 *first + 1)};
    return found;
}

/// What the first marker says in parentheses.
std::string_view notes_of(std::string_view marker) {
    const std::string_view rest = marker.substr(begin_marker.size());
    return rest.starts_with(" (") && rest.ends_with(')') ? rest.substr(2, rest.size() - 3)
                                                         : std::string_view{};
}

std::optional<NewFile> new_file_of(std::string_view notes) {
    if (!notes.starts_with(file_note))
        return std::nullopt;
    notes.remove_prefix(file_note.size());
    NewFile made;
    if (notes.starts_with(directories_note)) {
        notes.remove_prefix(directories_note.size());
        std::from_chars(notes.data(), notes.data() + notes.size(), made.directories);
    }
    made.directories = std::min(made.directories, most_directories);
    return made;
}

std::string notes(bool newline_added, const std::optional<NewFile>& made) {
    if (made && made->directories > 0)
        return fmt::format("{}{}{}", file_note, directories_note, made->directories);
    if (made)
        return std::string(file_note);
    return std::string(newline_added ? newline_note : std::string_view{});
}

/// A shell takes the CR of a CRLF for a part of the line's last word; behind a '#' it harms nobody.
std::string rendered(const Section& section, std::string_view said, std::string_view line_end) {
    std::vector<std::string> lines = section.lines;
    if (new_file_of(said))
        lines.insert(lines.end(), section.if_new.begin(), section.if_new.end());
    std::string out(begin_marker);
    if (!said.empty())
        out += fmt::format(" ({})", said);
    out += line_end;
    for (const std::string& line : lines) {
        out += line;
        if (line_end != "\n" && is_code(line))
            out += " #";
        out += line_end;
    }
    out += end_marker;
    return out += line_end;
}

/// That of the first line of `text`.
std::string_view line_end_of(std::string_view text) {
    const std::size_t newline = text.find('\n');
    const bool crlf = newline != std::string_view::npos && newline > 0 && text[newline - 1] == '\r';
    return crlf ? "\r\n" : "\n";
}

} // namespace

bool has_section(std::string_view text) {
    const std::vector<Line> lines = line_spans_of(text);
    return std::any_of(lines.begin(), lines.end(), [](const Line& line) {
        return line.text.starts_with(begin_marker) || line.text.starts_with(end_marker);
    });
}

bool is_set_up_by_hand(std::string_view text) {
    bool inside = false;
    for (const Line& line : line_spans_of(text)) {
        if (line.text.starts_with(begin_marker))
            inside = true;
        else if (line.text.starts_with(end_marker))
            inside = false;
        else if (!inside && is_code(line.text) &&
                 line.text.find("livesock env") != std::string_view::npos)
            return true;
    }
    return false;
}

Result<std::string> with_section(std::string_view text, const Section& section,
                                 std::optional<NewFile> made) {
    if (text.find('\0') != std::string_view::npos)
        return Error{"it is no text"};
    const std::vector<Line> lines = line_spans_of(text);
    const Result<std::optional<Found>> found = find_section(lines);
    if (!found)
        return found.error();
    if (const std::optional<Found>& old = *found) {
        const Line& first = lines[old->first];
        const std::string_view said = notes_of(first.text);
        const Result<Removed> bare = without_section(text);
        if (!bare)
            return bare.error();
        if (line_for(line_spans_of(bare->text), section.placement) < old->first)
            return with_section(bare->text, section, new_file_of(said));
        std::string out(text.substr(0, first.begin));
        out += rendered(section, said, line_end_of(text.substr(first.begin)));
        return out += text.substr(lines[old->last].end);
    }
    if (!lines.empty() && ends_in_backslash(lines.back().text))
        return Error{"its last line ends in a backslash, within a command"};
    const std::size_t at = line_for(lines, section.placement);
    const std::size_t offset = at < lines.size() ? lines[at].begin : text.size();
    const std::string_view line_end = line_end_of(text);
    const bool adds_newline = offset > 0 && text[offset - 1] != '\n';
    std::string out(text.substr(0, offset));
    out += adds_newline ? line_end : std::string_view{};
    out += rendered(section, notes(adds_newline, made), line_end);
    return out += text.substr(offset);
}

Result<Removed> without_section(std::string_view text) {
    const std::vector<Line> lines = line_spans_of(text);
    const Result<std::optional<Found>> found = find_section(lines);
    if (!found)
        return found.error();
    if (!*found)
        return Removed{std::string(text), std::nullopt};
    const Line& first = lines[(*found)->first];
    std::string_view before = text.substr(0, first.begin);
    const std::string_view behind = text.substr(lines[(*found)->last].end);
    const std::string_view said = notes_of(first.text);
    // With something below it the line end that was added is needed now.
    const std::string_view line_end = line_end_of(text.substr(first.begin));
    if (said == newline_note && behind.empty() && before.ends_with(line_end))
        before.remove_suffix(line_end.size());
    Removed removed{std::string(before), std::nullopt};
    removed.text += behind;
    if (removed.text.empty())
        removed.made = new_file_of(said);
    return removed;
}

std::optional<std::size_t> line_that_leaves(std::string_view text) {
    const std::vector<Line> lines = line_spans_of(text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].text.starts_with(begin_marker))
            return std::nullopt;
        if (becomes_another(lines[i].text))
            return i + 1;
    }
    return std::nullopt;
}

} // namespace livesock

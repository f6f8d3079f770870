#include "tools/print.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::size_t narrowest = 80;
constexpr std::size_t gap = 2;
constexpr std::size_t wide = 110;
/// A path is not cut to less than this, even if the line then is too long.
constexpr std::size_t narrowest_last_column = 15;

/// As the command line has it; set once, before anything is printed.
OutputChoice chosen;

bool has_colours(bool is_terminal) {
    switch (chosen.colour) {
    case ColourUse::automatic:
        return is_terminal && environment("NO_COLOR").empty() && environment("TERM") != "dumb";
    case ColourUse::always:
        return true;
    case ColourUse::never:
        return false;
    }
    return false;
}

std::size_t terminal_width(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0)
        return narrowest;
    return std::max<std::size_t>(size.ws_col, narrowest);
}

const char* sequence(Colour colour) {
    switch (colour) {
    case Colour::none:
        return "";
    case Colour::bold:
        return "\033[1m";
    case Colour::red:
        return "\033[31m";
    case Colour::green:
        return "\033[32m";
    case Colour::yellow:
        return "\033[33m";
    }
    return "";
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Where the character `count` columns into `text` begins.
std::size_t offset_of(std::string_view text, std::size_t count) {
    std::size_t offset = 0;
    for (; offset < text.size(); ++offset)
        if (!continues_character(text[offset]) && count-- == 0)
            break;
    return offset;
}

} // namespace

void choose_output(const OutputChoice& choice) {
    chosen = choice;
}

View view_of(int fd) {
    View view;
    view.home = environment("HOME");
    const bool is_terminal = ::isatty(fd) != 0;
    view.width = is_terminal ? terminal_width(fd) : 0;
    view.colour = has_colours(is_terminal);
    return view;
}

View view_of_stdout() {
    return view_of(STDOUT_FILENO);
}

bool is_wide(const View& view) {
    return view.width == 0 || view.width >= wide;
}

void say(const std::string& text) {
    if (!chosen.is_quiet)
        fmt::print("{}", text);
}

bool is_quiet() {
    return chosen.is_quiet;
}

std::string coloured(const View& view, Colour colour, const std::string& text) {
    if (!view.colour || colour == Colour::none || text.empty())
        return text;
    return sequence(colour) + text + "\033[0m";
}

std::size_t columns(std::string_view text) {
    return text.size() -
           static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

std::string cut_middle(const std::string& text, std::size_t width) {
    constexpr std::string_view dots = "...";
    const std::size_t length = columns(text);
    if (length <= width)
        return text;
    if (width <= dots.size())
        return std::string(dots.substr(0, width));
    const std::size_t kept = width - dots.size();
    const std::size_t head = kept / 2;
    std::string cut = text.substr(0, offset_of(text, head));
    cut += dots;
    return cut + text.substr(offset_of(text, length - (kept - head)));
}

std::string clipped(const std::string& line, std::size_t width) {
    std::string cut;
    std::size_t count = 0;
    for (std::size_t i = 0; i < line.size();) {
        if (line[i] == '\033') {
            const std::size_t end = std::min(line.find('m', i), line.size() - 1);
            cut += line.substr(i, end - i + 1);
            i = end + 1;
            continue;
        }
        std::size_t next = i + 1;
        while (next < line.size() && continues_character(line[next]))
            ++next;
        if (width == 0 || count++ < width)
            cut += line.substr(i, next - i);
        i = next;
    }
    return cut;
}

std::string shown_path(const View& view, std::string_view path) {
    const std::string& home = view.home;
    if (home.size() > 1 && path.starts_with(home) &&
        (path.size() == home.size() || path[home.size()] == '/'))
        return "~" + escaped(path.substr(home.size()));
    return escaped(path);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    std::string line;
    const auto flush = [&] {
        out += std::string(indent, ' ') + line + '\n';
        line.clear();
    };
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.empty())
            continue;
        if (!line.empty() && width > 0 && indent + columns(line) + 1 + columns(word) > width)
            flush();
        line += line.empty() ? "" : " ";
        line += word;
    }
    flush();
    return out;
}

void Table::add(std::vector<Cell> row) {
    assert(row.size() == columns_.size());
    rows_.push_back({std::move(row)});
}

void Table::add_note(std::string text, std::size_t column) {
    assert(!rows_.empty() && column < columns_.size());
    rows_.back().notes.emplace_back(std::move(text), column);
}

bool Table::is_left_out(std::size_t column) const {
    return std::find(left_out_.begin(), left_out_.end(), column) != left_out_.end();
}

/// The last column that is shown.
std::size_t Table::last() const {
    std::size_t column = columns_.size() - 1;
    while (column > 0 && is_left_out(column))
        --column;
    return column;
}

/// Where the column `index` begins.
std::size_t Table::start_of(const std::vector<std::size_t>& widths, std::size_t index) const {
    std::size_t start = 0;
    for (std::size_t i = 0; i < index; ++i)
        start += is_left_out(i) ? 0 : widths[i] + gap;
    return start;
}

std::vector<std::size_t> Table::natural_widths() const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    for (const Row& row : rows_)
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            widths[i] = std::max(widths[i], columns(row.cells[i].text));
    return widths;
}

std::vector<std::size_t> Table::widths(const View& view) const {
    std::vector<std::size_t> widths = natural_widths();
    if (view.width > 0) {
        const std::size_t before = start_of(widths, last());
        const std::size_t room = view.width > before ? view.width - before : 0;
        widths[last()] = std::min(widths[last()], std::max(room, narrowest_last_column));
    }
    return widths;
}

bool Table::fits(const View& view) const {
    const std::vector<std::size_t> least = widths(view);
    return view.width == 0 || start_of(least, last()) + least[last()] <= view.width;
}

void Table::leave_out(std::initializer_list<std::size_t> columns, const View& view) {
    for (auto column = columns.begin(); column != columns.end() && !fits(view); ++column)
        left_out_.push_back(*column);
}

std::string Table::line(const View& view, const Row& row,
                        const std::vector<std::size_t>& widths) const {
    std::string out;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        if (is_left_out(i))
            continue;
        const std::string shown = cut_middle(row.cells[i].text, widths[i]);
        const std::string padding(widths[i] - columns(shown), ' ');
        out += start_of(widths, i) > 0 ? std::string(gap, ' ') : "";
        out += columns_[i] == Align::right ? padding : "";
        out += coloured(view, row.cells[i].colour, shown);
        out += columns_[i] == Align::left && i != last() ? padding : "";
    }
    return out.substr(0, out.find_last_not_of(' ') + 1) + '\n';
}

std::string Table::text(const View& view) const {
    const std::vector<std::size_t> width = widths(view);
    std::string out;
    for (const Row& row : rows_) {
        out += line(view, row, width);
        for (const auto& [note, column] : row.notes)
            out += wrapped(note, start_of(width, column), view.width);
    }
    return out;
}

} // namespace livesock

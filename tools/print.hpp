// Text for a person at a terminal: tables, colours, widths. Pure, but for what it asks the
// terminal.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livesock {

/// For whom text is laid out.
struct View {
    std::size_t width = 0; ///< columns; 0 means that lines may be as long as they like
    bool colour = false;
    std::string home = {}; ///< shown as ~; may be empty
};

/// Whether there is room for more than what has to be there.
[[nodiscard]] bool is_wide(const View& view);

/// When there are colours.
enum class ColourUse {
    automatic, ///< on a terminal, but never with NO_COLOR set (https://no-color.org) or TERM=dumb
    always,
    never,
};

/// What the user has said about all output of this program.
struct OutputChoice {
    ColourUse colour = ColourUse::automatic;
    bool is_quiet = false; ///< only what was asked for, and what went wrong
};
void choose_output(const OutputChoice& choice);

/// The view of the standard output or error `fd`: the terminal's width, at least 80, none where it
/// is no terminal; colours as they were chosen.
[[nodiscard]] View view_of(int fd);
[[nodiscard]] View view_of_stdout();

/// Prints `text`, which says that something was done, unless that is not to be said.
void say(const std::string& text);
/// Whether it is not.
[[nodiscard]] bool is_quiet();

enum class Colour { none, bold, red, green, yellow };

/// `text` in `colour` if `view` has colours.
[[nodiscard]] std::string coloured(const View& view, Colour colour, const std::string& text);

/// How many columns the UTF-8 `text` takes, counting one for every character.
[[nodiscard]] std::size_t columns(std::string_view text);

/// `text` cut to at most `width` columns with "..." in its middle, where a path says least.
[[nodiscard]] std::string cut_middle(const std::string& text, std::size_t width);

/// `line` cut to `width` columns; sequences that set colours take none. 0: as it is.
[[nodiscard]] std::string clipped(const std::string& line, std::size_t width);

/// `path`, escaped, with the home directory as ~.
[[nodiscard]] std::string shown_path(const View& view, std::string_view path);

/// The lines of `text`, without their ends.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

/// `text` broken at blanks into lines of at most `width` columns (0: one line), each ending in a
/// newline and beginning with `indent` blanks.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

/// One cell. Its colour takes no columns.
struct Cell {
    std::string text;
    Colour colour = Colour::none;
};

/// How a column is set.
enum class Align { left, right };

/// Rows of cells with two blanks between columns. The last column is cut in the middle to fit.
class Table {
  public:
    /// `columns` says how each column is set, and so how many cells a row has.
    explicit Table(std::vector<Align> columns)
        : columns_(std::move(columns)) {}

    void add(std::vector<Cell> row);
    /// Adds lines below the last row, wrapped, that begin where the column `column` begins.
    void add_note(std::string text, std::size_t column);

    /// Whether there is room for every line without cutting more than the last column.
    [[nodiscard]] bool fits(const View& view) const;
    /// Leaves `columns` out, at which no note begins, one after the other until the rest fits.
    void leave_out(std::initializer_list<std::size_t> columns, const View& view);

    [[nodiscard]] std::string text(const View& view) const;

  private:
    struct Row {
        std::vector<Cell> cells;
        std::vector<std::pair<std::string, std::size_t>> notes = {}; // and their columns
    };
    std::vector<std::size_t> natural_widths() const;
    std::vector<std::size_t> widths(const View& view) const;
    std::size_t start_of(const std::vector<std::size_t>& widths, std::size_t index) const;
    std::size_t last() const;
    bool is_left_out(std::size_t column) const;
    std::string line(const View& view, const Row& row,
                     const std::vector<std::size_t>& widths) const;

    std::vector<Align> columns_;
    std::vector<std::size_t> left_out_;
    std::vector<Row> rows_;
};

} // namespace livesock

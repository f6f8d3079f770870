// Where in a start file a section of `livesock setup` has to stand: its lines in, a number out.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace livesock {

/// Where in a file a section has to stand.
enum class Placement {
    end,
    /// At the end, but before the last statements if they may end the script or become another
    /// program: each a line, one of several that are joined, or an `if` or a `case` of sh or csh.
    before_exec,
    before_plugins, ///< at the end, but before tmux's plugin manager, which has to be last
};

/// A line of a text, from `begin` to behind its line end.
struct Line {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string_view text; ///< without the line end
};

[[nodiscard]] std::vector<Line> line_spans_of(std::string_view text);

/// Whether the line is neither blank nor a comment.
[[nodiscard]] bool is_code(std::string_view line);

/// Whether the command of this line goes on in the next one by a backslash.
[[nodiscard]] bool ends_in_backslash(std::string_view line);

/// Whether the line has an `exec` that names a program, and is no mere redirection.
[[nodiscard]] bool becomes_another(std::string_view line);

/// The index of the line that a section has to stand before; lines.size() for the end.
[[nodiscard]] std::size_t line_for(std::span<const Line> lines, Placement placement);

} // namespace livesock

// What `livesock setup` makes of a file: a section between two marker lines, and the file without
// it again, byte for byte. Text in, text out.
#pragma once

#include "supervisor/base/result.hpp"
#include "tools/setup_placement.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// What is written between the markers. '#' begins a comment in all these files.
struct Section {
    Placement placement = Placement::end;
    std::vector<std::string> lines = {};  ///< without their line ends
    std::vector<std::string> if_new = {}; ///< and these, in a file that was made for the section
};

/// Where a file comes from that did not exist; undone, it does not exist again.
struct NewFile {
    std::size_t directories = 0; ///< how many of its parent directories had to be made
};

/// A file with its section taken out.
struct Removed {
    std::string text;
    std::optional<NewFile> made; ///< the file was made for the section, and nothing else is in it
};

/// Whether `text` has a line that begins or ends a section.
[[nodiscard]] bool has_section(std::string_view text);

/// Whether `text` calls `livesock env` outside a section: somebody has set it up by hand.
[[nodiscard]] bool is_set_up_by_hand(std::string_view text);

/// `text` with `section`, in place of the one that it has, unless that stands behind what it has to
/// stand before. Line ends are those of `text`. What is needed to undo it stands in the first
/// marker. Error: `text` is none in which a section could stand (bytes that are no text, markers
/// without their counterpart, an end within a command).
[[nodiscard]] Result<std::string> with_section(std::string_view text, const Section& section,
                                               std::optional<NewFile> made = {});

/// `text` as it was before with_section(), with whatever was changed outside the section since.
[[nodiscard]] Result<Removed> without_section(std::string_view text);

/// The number of a line after which a shell may not come to a section at the end, as the line
/// becomes another program (`exec zsh`).
[[nodiscard]] std::optional<std::size_t> line_that_leaves(std::string_view text);

} // namespace livesock

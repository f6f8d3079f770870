// The words of a command line, before and beside the parser.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// A command line, parted where `run` begins to speak of somebody else's options.
struct Words {
    std::vector<std::string> own;     ///< ours to parse, without the program's name
    std::vector<std::string> command; ///< what `run` shall execute; empty for other commands
};

/// Parts `words` (without the program's name). After `run`, everything from the first word on that
/// is no option, or after "--", belongs to the command to be run, options included.
[[nodiscard]] Words part_words(std::span<const std::string> words);

/// "unknown command 'staus': did you mean 'status'?", or where to look if nothing in `known` is
/// near. `kind` is what was expected, `help` the command line that shows the help.
[[nodiscard]] std::string unknown_word(std::string_view kind, std::string_view word,
                                       std::span<const std::string_view> known,
                                       std::string_view help);

} // namespace livesock

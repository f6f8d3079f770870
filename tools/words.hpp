// The words of a command line, before and beside the parser.
#pragma once

#include <optional>
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

/// What every command takes, before its name or behind it.
struct OutputWords {
    std::optional<std::string> colour; ///< of --color=WHEN; "always" without a WHEN
    bool is_quiet = false;             ///< -q, --quiet
};

/// Takes those out of `own`, up to a "--"; a -q also out of several flags in one word.
[[nodiscard]] OutputWords take_output_words(std::vector<std::string>& own);

/// "unknown command 'staus': did you mean 'status'?", or where to look if nothing in `known` is
/// near. `kind` is what was expected, `help` the command line that shows the help.
[[nodiscard]] std::string unknown_word(std::string_view kind, std::string_view word,
                                       std::span<const std::string_view> known,
                                       std::string_view help);

} // namespace livesock

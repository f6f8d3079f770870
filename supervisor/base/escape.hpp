// Bytes from elsewhere, made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace livesock {

/// `text` with every control character, backslash and byte that is not valid UTF-8 written as
/// \n, \t, \\ or \xNN, so that it can neither end a log line nor drive a terminal; so are
/// characters that change the writing direction, which would make it look like another. What is
/// longer than `limit` bytes is cut and ends in "...".
[[nodiscard]] std::string escaped(std::string_view text, std::size_t limit = 512);

/// The same for a sentence or a command whose parts have been escaped: backslashes stay as they
/// are, and nothing is cut.
[[nodiscard]] std::string printable(std::string_view text);

/// Whether an ASCII control character is in `text`: what is named so is nothing of ours.
[[nodiscard]] bool has_control_characters(std::string_view text);

} // namespace livesock

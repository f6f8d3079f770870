// Text that is words between blanks.
#pragma once

#include <string_view>

namespace livesock {

/// Takes the first word, and the blanks and tabs before it, from the front of `text` and returns
/// it; empty if there is none.
[[nodiscard]] std::string_view next_word(std::string_view& text);

} // namespace livesock

// The difference between two versions of a file, as diff(1) -u shows it.
#pragma once

#include "tools/print.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// One hunk from the first line that differs to the last one, with three lines around it; empty if
/// nothing differs. `name` is printed on both sides, /dev/null for a side that does not exist.
/// Of the file all but tabs is shown as printable() has it: nothing in it can drive the terminal.
[[nodiscard]] std::string unified_diff(const View& view, const std::string& name,
                                       std::optional<std::string_view> before,
                                       std::optional<std::string_view> after);

} // namespace livesock

// What keeps the recursion of the TOML parser within the stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace livesock {

/// A place in a text, counted from 1; columns are bytes.
struct TextPosition {
    std::size_t line = 1;
    std::size_t column = 1;

    bool operator==(const TextPosition&) const = default;
};

/// The most dots that a key may have. Values are nested at most 256 deep by toml++ itself.
inline constexpr int most_dots_in_key = 16;

/// Where the TOML `text` first has a dotted key of more parts. toml++ 3.3 recurses once a part and
/// sets no bound: half a megabyte of "a.a.a." ends the stack. A text that is not TOML may be judged
/// wrongly behind its first error, which is where the parser stops.
[[nodiscard]] std::optional<TextPosition> find_deep_key(std::string_view text);

} // namespace livesock

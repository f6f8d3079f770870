// Numbers as text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace livesock {

/// The number that all of `text` is, in digits of `base`; nothing if it is anything else, or one
/// that a Number cannot be. A sign is none of an unsigned one.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, value, base);
    return problem == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

} // namespace livesock

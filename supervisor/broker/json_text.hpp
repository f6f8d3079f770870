// JSON (RFC 8259) from elsewhere.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace livesock {

/// Of what the other end says, so many bytes are repeated.
inline constexpr std::size_t longest_quote = 200;

/// The object that `text` is; discarded (is_discarded()) if it is no JSON object, not UTF-8, or has
/// objects and arrays deeper in each other than `deepest`, or more than `most_values`: what
/// recurses over it stays small, and so does the time that it takes.
[[nodiscard]] nlohmann::json parse_object(std::string_view text, int deepest, int most_values);

/// The string `name` of `object`; nothing if there is none, or it is something else.
[[nodiscard]] std::optional<std::string> text_member(const nlohmann::json& object,
                                                     const char* name);

/// As one line of ASCII; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_text(const nlohmann::json& value);

} // namespace livesock

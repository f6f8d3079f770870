// Members of JSON objects from elsewhere: what is missing or of another type reads as nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace livesock {

using Json = nlohmann::ordered_json;

/// The object that `text` is; null if it is no JSON.
[[nodiscard]] Json parse_json(const std::string& text);

/// The member `name`, null if there is none.
[[nodiscard]] const Json& member(const Json& object, const char* name);

[[nodiscard]] std::optional<std::string> text_in(const Json& object, const char* name);
[[nodiscard]] std::optional<double> number_in(const Json& object, const char* name);
/// A number with a fraction loses it. What int64_t cannot hold is no number of ours.
[[nodiscard]] std::optional<std::int64_t> whole_in(const Json& object, const char* name);
[[nodiscard]] bool truth_in(const Json& object, const char* name);

/// The elements of the member `name`; none if it is no array.
[[nodiscard]] const Json& elements_in(const Json& object, const char* name);

/// `value`, indented, and safe for a terminal: ASCII only. Ends in a newline.
[[nodiscard]] std::string pretty(const Json& value);

} // namespace livesock

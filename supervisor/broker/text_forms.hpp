// Ids, times and keys: the forms of text that the bus's messages are made of.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// A new UUID (RFC 9562, version 7) of the time `now`.
[[nodiscard]] std::string new_message_id(std::chrono::system_clock::time_point now);
/// Whether `text` has the form of a UUID, of any version.
[[nodiscard]] bool is_message_id(std::string_view text);

/// `time` as RFC 3339 has it, in UTC with milliseconds: "2026-01-31T12:00:00.123Z".
[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point time);
/// Whether `text` is a time of RFC 3339 in UTC ("Z", or an offset of zero).
[[nodiscard]] bool is_rfc3339_utc(std::string_view text);

/// Whether `blob` begins as a public key does: with the name of its type, in printable ASCII.
[[nodiscard]] bool is_public_key(std::string_view blob);

/// The public key blob that `text` says: its base64, or an authorized_keys line without options.
/// Nothing if it is neither.
[[nodiscard]] std::optional<std::string> parse_public_key(std::string_view text);

} // namespace livesock

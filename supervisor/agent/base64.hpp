// The standard base64 (RFC 4648, section 4) with padding, as keys and signatures are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Nothing if `text` is anything else, white space and missing padding included.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace livesock

// The data types of RFC 4251, section 5, read and written in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Reads from `bytes`, which stay the caller's. A read that would go past the end gives nothing and
/// leaves the position where it was; nothing that the bytes claim is ever allocated.
class WireReader {
  public:
    explicit WireReader(std::string_view bytes)
        : rest_(bytes) {}

    std::optional<std::uint8_t> byte();
    std::optional<std::uint32_t> uint32();
    /// A string's bytes, a view into the input.
    std::optional<std::string_view> string();

    bool at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
};

class WireWriter {
  public:
    WireWriter& byte(std::uint8_t value);
    WireWriter& uint32(std::uint32_t value);
    /// `bytes` with its length before it.
    WireWriter& string(std::string_view bytes);

    const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

} // namespace livesock

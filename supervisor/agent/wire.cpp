#include "supervisor/agent/wire.hpp"

namespace livesock {

std::optional<std::uint8_t> WireReader::byte() {
    if (rest_.empty())
        return std::nullopt;
    const auto value = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
}

std::optional<std::uint32_t> WireReader::uint32() {
    if (rest_.size() < 4)
        return std::nullopt;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
        value = value << 8 | static_cast<std::uint8_t>(rest_[static_cast<std::size_t>(i)]);
    rest_.remove_prefix(4);
    return value;
}

std::optional<std::string_view> WireReader::string() {
    const std::string_view before = rest_;
    const std::optional<std::uint32_t> length = uint32();
    if (!length || *length > rest_.size()) {
        rest_ = before;
        return std::nullopt;
    }
    const std::string_view value = rest_.substr(0, *length);
    rest_.remove_prefix(*length);
    return value;
}

WireWriter& WireWriter::byte(std::uint8_t value) {
    bytes_ += static_cast<char>(value);
    return *this;
}

WireWriter& WireWriter::uint32(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes_ += static_cast<char>(value >> shift & 0xff);
    return *this;
}

WireWriter& WireWriter::string(std::string_view bytes) {
    uint32(static_cast<std::uint32_t>(bytes.size()));
    bytes_ += bytes;
    return *this;
}

} // namespace livesock

#include "supervisor/upstream/origin_check.hpp"

#include "supervisor/agent/wire.hpp"

#include <charconv>

#include <sodium.h>

namespace livesock {
namespace {

constexpr std::string_view extension_name = "origin@livesock";
constexpr std::size_t secret_size = 16;

} // namespace

OriginCheck::OriginCheck()
    : secret_(secret_size, '\0') {
    ::randombytes_buf(secret_.data(), secret_.size());
}

std::string OriginCheck::question(std::uint64_t agent) const {
    return make_frame(
        MessageType::extension,
        WireWriter().string(extension_name).string(secret_).string(std::to_string(agent)).bytes());
}

std::optional<std::uint64_t> OriginCheck::asked(const Message& request) const {
    if (request.type() != MessageType::extension)
        return std::nullopt;
    WireReader reader(request.contents());
    if (reader.string() != extension_name || reader.string() != secret_)
        return std::nullopt;
    std::uint64_t agent = 0;
    const std::string_view number = reader.string().value_or("");
    const auto [rest, problem] =
        std::from_chars(number.data(), number.data() + number.size(), agent);
    return problem == std::errc{} ? std::optional(agent) : std::nullopt;
}

} // namespace livesock

// What guest and host say to each other: the payloads of envelopes (livesock-protocol(7)).
#pragma once

#include "supervisor/agent/identities.hpp"
#include "supervisor/base/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

enum class Operation { list, sign, ping, status };
[[nodiscard]] std::string_view name_of(Operation operation);

struct GuestRequest {
    Operation operation = Operation::ping;
    std::string key = {}; ///< with sign: the public key blob
    std::string data = {};
    std::uint32_t flags = 0;
};
[[nodiscard]] std::string to_payload(const GuestRequest& request);
[[nodiscard]] Result<GuestRequest> parse_request(std::string_view payload);

/// An SSH signature (RFC 4253, section 6.6): what stands behind format and blob is `rest`, of sk-
/// keys flags and counter.
struct Signature {
    std::string format;
    std::string blob;
    std::string rest;
};
/// The parts of `signature`, and back. Nothing if it is malformed.
[[nodiscard]] std::optional<Signature> split(std::string_view signature);
[[nodiscard]] std::string join(const Signature& signature);

[[nodiscard]] std::string list_payload(std::span<const Identity> identities);
[[nodiscard]] std::string sign_payload(const Signature& signature);
[[nodiscard]] std::string ping_payload();
[[nodiscard]] std::string status_payload(bool is_local, std::size_t keys);

/// The codes of errors in payloads.
inline constexpr std::string_view key_not_found = "KEY_NOT_FOUND";
inline constexpr std::string_view sign_failed = "SIGN_FAILED";
inline constexpr std::string_view internal_error = "INTERNAL_ERROR";
[[nodiscard]] std::string error_payload(std::string_view code, std::string_view error);

/// What a host answered to a request. Error::code is EREMOTEIO where that is an error of the host's
/// own, and EBADMSG where it is not the format.
[[nodiscard]] Result<std::vector<Identity>> parse_list_answer(std::string_view payload);
[[nodiscard]] Result<Signature> parse_sign_answer(std::string_view payload);
[[nodiscard]] Result<void> parse_ping_answer(std::string_view payload);

} // namespace livesock

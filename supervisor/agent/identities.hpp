// The keys that an agent offers.
#pragma once

#include "supervisor/agent/message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

struct Identity {
    std::string blob;    ///< the public key (RFC 4253, section 6.6), as the agent sent it
    std::string comment; ///< the agent's text: escape it before showing it
};

/// More identities than this are not believed; OpenSSH's client refuses 2048 too.
inline constexpr std::size_t most_identities = 2048;

/// The identities in an SSH_AGENT_IDENTITIES_ANSWER (RFC 9987, section 5.2); nothing if it is
/// malformed or has trailing bytes.
[[nodiscard]] std::optional<std::vector<Identity>> parse_identities(const Message& answer);

/// The SSH_AGENT_IDENTITIES_ANSWER that offers `identities`.
[[nodiscard]] std::string identities_frame(const std::vector<Identity>& identities);

/// "ssh-ed25519", "ecdsa-sha2-nistp256", ...: what the blob says of itself, empty if malformed.
[[nodiscard]] std::string_view key_type(std::string_view blob);

} // namespace livesock

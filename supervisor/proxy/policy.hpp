// What the user lets pass at the proxy: a guard against accidents and noise, not against a hostile
// process of the same user, which can go to the agent directly.
#pragma once

#include "supervisor/agent/identities.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

struct PolicySettings {
    bool read_only = false;             ///< only what does not change the agent passes
    std::vector<std::string> keys;      ///< fingerprints and comments; empty: all keys
    std::vector<std::string> deny_comm; ///< programs whose background requests are refused
    std::string on_wait{};              ///< a shell's command line; empty: none
    std::chrono::milliseconds on_wait_after{1'000}; ///< a sign request has waited, then it is run

    /// Whether anything is refused: then nobody may be led past the proxy.
    bool restricts() const { return read_only || !keys.empty() || !deny_comm.empty(); }
    bool operator==(const PolicySettings&) const = default;
};

/// The rule that refuses a client's request, "policy.read_only" for example; nothing if it passes.
/// `identities`: those that are known to be offered, for their comments. `pid`: the client's.
[[nodiscard]] std::optional<std::string> refused_by(const PolicySettings& policy,
                                                    const Message& request,
                                                    const std::vector<Identity>& identities,
                                                    pid_t pid);

/// `answer`, an SSH_AGENT_IDENTITIES_ANSWER, without the keys that policy.keys leaves out; a
/// malformed one is an answer without keys.
[[nodiscard]] std::string allowed_identities(const PolicySettings& policy, const Message& answer);

} // namespace livesock

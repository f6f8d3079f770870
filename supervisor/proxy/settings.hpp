// What the user can set about the proxy (livesock.toml(5)).
#pragma once

#include "supervisor/proxy/policy.hpp"
#include "supervisor/upstream/settings.hpp"

#include <chrono>
#include <cstddef>

namespace livesock {

struct ProxySettings {
    std::chrono::milliseconds grace{2'000};         ///< how long a request waits for a live agent
    std::chrono::milliseconds list_timeout{5'000};  ///< for what an agent answers by itself
    std::chrono::milliseconds sign_timeout{60'000}; ///< for what may wait for a person
    std::chrono::milliseconds upstream_idle{
        60'000};                      ///< then a connection is given back to its agent
    std::size_t max_clients = 16'384; ///< beyond these, clients wait to be accepted
    /// Connections that one agent sees at once; beyond these, requests wait their turn.
    std::size_t max_upstreams = default_most_upstreams;
    bool merge = false;          ///< several agents as one (selection.mode)
    bool follows_typing = false; ///< selection.policy is "active-client"
    PolicySettings policy{};

    /// Whether the proxy does what a direct connection to the agent would not.
    bool is_no_mere_relay() const { return merge || follows_typing || policy.restricts(); }
    bool operator==(const ProxySettings&) const = default;
};

} // namespace livesock

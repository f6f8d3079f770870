// Many clients of the signing endpoint, or of the agent behind it, driven by one thread.
#pragma once

#include "tests/bench/agent_connection.hpp"
#include "tests/bench/load.hpp"

#include <chrono>
#include <string>

namespace livesock::bench {

/// One request, and how the answer to it begins and ends.
struct Exchange {
    std::string request;
    std::string answer_begins; ///< as it has to, to count
    /// How long the whole answer is, once this much of it is there; 0: not known yet.
    std::size_t (*length_of)(std::string_view answer) = nullptr;
};

/// POST /sign of `size` bytes, on a connection that stays open.
[[nodiscard]] Exchange sign_over_http(std::size_t size);
/// `request`, a framed sign request, to an agent.
[[nodiscard]] Exchange sign_at_agent(const Bytes& request);

/// Keeps `clients` connections to `address` busy with `exchange` for `duration`: each sends again
/// as soon as it has its answer.
[[nodiscard]] LoadResult run_exchanges(const sockaddr_un& address, int clients,
                                       const Exchange& exchange,
                                       std::chrono::milliseconds duration);

} // namespace livesock::bench

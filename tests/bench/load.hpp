// Many clients at once, driven by one thread with epoll(7).
#pragma once

#include "tests/bench/agent_connection.hpp"

#include <chrono>

namespace livesock::bench {

/// What each client does, over and over.
enum class Visit {
    one_request_each, ///< connect, list, read the whole answer, close
    stay_connected,   ///< list and read the whole answer on the connection it opened at first
};

struct LoadResult {
    double requests_per_second = 0; ///< whole answers
    long errors = 0; ///< refused or broken connections, answers of another type; EAGAIN is none
};

/// Keeps `clients` clients busy at `address` for `duration`. Each has at most one request out
/// there. A full backlog (EAGAIN) is what a blocking connect would wait for: the client tries again
/// as soon as another one is served.
[[nodiscard]] LoadResult run_load(const sockaddr_un& address, int clients, Visit visit,
                                  std::chrono::milliseconds duration);

} // namespace livesock::bench

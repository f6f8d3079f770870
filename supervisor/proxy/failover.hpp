// What becomes of a request whose agent died, hung, or could not be reached.
#pragma once

#include "supervisor/agent/message.hpp"

namespace livesock {

/// A request is taken to at most so many agents; several may end with one laptop's network.
inline constexpr int most_attempts = 16;

/// At most so many of them are given the time that an answer may take.
inline constexpr int most_timeouts = 3;

struct FailedAttempt {
    RequestKind kind = RequestKind::other;
    bool was_sent = false; ///< the agent may have acted on it
    int attempts = 1;      ///< how many there were, with this one
    int timeouts = 0;      ///< of these
};

/// Whether the request may be taken to another agent. What was not sent may; a list, a sign, a
/// query and a session-bind may be sent again; anything else never, for it could take effect twice.
[[nodiscard]] bool may_be_repeated(const FailedAttempt& attempt);

} // namespace livesock

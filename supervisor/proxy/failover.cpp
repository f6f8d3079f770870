#include "supervisor/proxy/failover.hpp"

namespace livesock {

bool may_be_repeated(const FailedAttempt& attempt) {
    const bool is_harmless = !attempt.was_sent || attempt.kind != RequestKind::other;
    return is_harmless && attempt.attempts < most_attempts && attempt.timeouts < most_timeouts;
}

} // namespace livesock

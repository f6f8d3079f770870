#include "supervisor/proxy/failover.hpp"

namespace livesock {

bool may_be_repeated(const FailedAttempt& attempt) {
    if (attempt.binding_refused || attempt.attempts >= most_attempts)
        return false;
    return !attempt.was_sent || attempt.kind != RequestKind::other;
}

} // namespace livesock

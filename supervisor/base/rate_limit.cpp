#include "supervisor/base/rate_limit.hpp"

#include <algorithm>

namespace livesock {
namespace {

constexpr std::chrono::duration<double> minute = std::chrono::minutes(1);

} // namespace

RateLimit::RateLimit(std::size_t a_minute, TimePoint now)
    : a_minute_(static_cast<double>(a_minute))
    , left_(a_minute_)
    , filled_at_(now) {}

std::optional<Duration> RateLimit::take(TimePoint now) {
    fill(now);
    if (left_ >= 1) {
        left_ -= 1;
        return std::nullopt;
    }
    return std::chrono::duration_cast<Duration>((1 - left_) / a_minute_ * minute);
}

void RateLimit::set(std::size_t a_minute, TimePoint now) {
    fill(now);
    a_minute_ = static_cast<double>(a_minute);
    left_ = std::min(left_, a_minute_);
}

void RateLimit::fill(TimePoint now) {
    left_ = std::min(a_minute_, left_ + a_minute_ * ((now - filled_at_) / minute));
    filled_at_ = now;
}

} // namespace livesock

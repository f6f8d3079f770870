#include "supervisor/base/rate_limit.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("a minute's worth may come at once, and then one in its time") {
    TimePoint now{};
    RateLimit limit(6, now);
    for (int i = 0; i < 6; ++i)
        CHECK_FALSE(limit.take(now));
    const std::optional<Duration> wait = limit.take(now);
    REQUIRE(wait);
    CHECK(*wait > 9s);
    CHECK(*wait <= 10s);
    now += 10s;
    CHECK_FALSE(limit.take(now));
    CHECK(limit.take(now));
    now += 1h;
    for (int i = 0; i < 6; ++i)
        CHECK_FALSE(limit.take(now));
    CHECK(limit.take(now));
}

TEST_CASE("a lower limit holds at once") {
    TimePoint now{};
    RateLimit limit(100, now);
    limit.set(1, now);
    CHECK_FALSE(limit.take(now));
    CHECK(limit.take(now));
    limit.set(60, now);
    now += 1s;
    CHECK_FALSE(limit.take(now));
    CHECK(limit.take(now));
}

#include "supervisor/broker/reconnect_pause.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("a server that is not there is tried again after ever longer pauses") {
    ReconnectPause pause;
    for (const Duration expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s})
        CHECK(pause.after(std::nullopt) == expected);
}

TEST_CASE("a subscription that has lasted for a minute begins anew, a shorter one does not") {
    ReconnectPause pause;
    CHECK(pause.after(std::nullopt) == 1s);
    CHECK(pause.after(59s) == 2s);
    CHECK(pause.after(60s) == 1s);
    CHECK(pause.after(std::nullopt) == 2s);
    CHECK(pause.after(std::nullopt) == 4s);
}

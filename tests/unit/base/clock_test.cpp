#include "supervisor/base/clock.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("a duration is a whole number and a unit") {
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("2s") == 2s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("1h") == 1h);
    CHECK(parse_duration("0s") == 0s);
}

TEST_CASE("anything else is no duration") {
    for (const char* text : {"", "s", "2", "2 s", " 2s", "2S", "-1s", "1.5s", "2s ", "0x2s", "2d",
                             "99999999999999999999s", "9999999h"})
        CHECK_MESSAGE(!parse_duration(text), text);
}

TEST_CASE("a duration is shown in the largest unit that tells enough") {
    CHECK(format_duration(84us) == "84 us");
    CHECK(format_duration(1200us) == "1.2 ms");
    CHECK(format_duration(52ms) == "52 ms");
    CHECK(format_duration(3200ms) == "3.2 s");
    CHECK(format_duration(4min) == "4 min");
    CHECK(format_duration(5h) == "5 h");
    CHECK(format_duration(72h) == "3 d");
}

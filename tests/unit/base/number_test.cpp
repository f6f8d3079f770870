#include "supervisor/base/number.hpp"

#include <cstdint>

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("a number is all of a text") {
    CHECK(parse_number<int>("0") == 0);
    CHECK(parse_number<int>("-7") == -7);
    CHECK(parse_number<std::uint16_t>("65535") == 65535);
    CHECK(parse_number<std::uint64_t>("fF", 16) == 255);
    for (const char* const wrong : {"", " 1", "1 ", "1x", "+1", "-1", "0x1", "65536", "1.5"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_number<std::uint16_t>(wrong));
    }
}

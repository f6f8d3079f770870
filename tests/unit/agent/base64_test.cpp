#include "supervisor/agent/base64.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("base64 is the standard one, padded, and nothing else") {
    CHECK(to_base64("") == "");
    CHECK(to_base64("a") == "YQ==");
    CHECK(to_base64("\xfb\xff") == "+/8=");
    CHECK(*from_base64("") == "");
    CHECK(*from_base64("YWI=") == "ab");
    CHECK(*from_base64("+/8=") == "\xfb\xff");
    const std::string all("\0\1\2\xff", 4);
    CHECK(*from_base64(to_base64(all)) == all);
    for (const char* wrong :
         {"YQ", "YQ=", "YQ===", "Y", "-_8=", "YQ==\n", " YQ==", "YR==", "Y*==", "YQ==YQ=="}) {
        CAPTURE(wrong);
        CHECK(!from_base64(wrong));
    }
    CHECK(!from_base64(std::string("YQ=\0", 4)));
    CHECK(!from_base64("\xA2"
                       "A0T"));
}

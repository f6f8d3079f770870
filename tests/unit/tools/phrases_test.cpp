#include "tools/phrases.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("the port of a login is told where it is not the usual one") {
    CHECK(login_port("10.0.0.5 50000 10.0.0.1 2222") == "2222");
    CHECK(login_port("fe80::1%eth0 50000 fe80::2%eth0 33099") == "33099");
    CHECK(login_port("10.0.0.5 50000 10.0.0.1 22").empty());
    for (const char* const broken :
         {"", "22", "a b c", "a b c d", "a b c 123456", "a b c ;id", "a b c 1 2", "a b c "})
        CHECK_MESSAGE(login_port(broken).empty(), broken);
}

TEST_CASE("what to type to come here again has the port") {
    const ScopedVariable connection("SSH_CONNECTION", "10.0.0.5 50000 10.0.0.1 2222");
    CHECK(login_command().starts_with("ssh -A -p 2222 "));
    const ScopedVariable usual("SSH_CONNECTION", "10.0.0.5 50000 10.0.0.1 22");
    CHECK(login_command().find(" -p ") == std::string::npos);
}

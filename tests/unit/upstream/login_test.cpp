#include "supervisor/upstream/login.hpp"

#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;
using namespace std::string_view_literals;

TEST_CASE("a login with a terminal is the client's address, its port and the terminal") {
    const auto login = parse_login(
        "USER=ann\0SSH_CONNECTION=10.0.0.5 50022 10.0.0.1 22\0SSH_TTY=/dev/pts/3\0LANG=C\0"sv);
    REQUIRE(login);
    CHECK(login->client_address == "10.0.0.5");
    CHECK(login->client_port == 50022);
    CHECK(login->tty == "pts/3");
}

TEST_CASE("a login may have no terminal, and an address of IPv6") {
    const auto login = parse_login("SSH_CONNECTION=fe80::1%eth0 1 ::1 22\0"sv);
    REQUIRE(login);
    CHECK(login->client_address == "fe80::1%eth0");
    CHECK(login->client_port == 1);
    CHECK(login->tty.empty());
}

TEST_CASE("where no client is named there is no login") {
    for (const std::string_view bytes :
         {""sv, "\0"sv, "\0\0\0"sv, "SSH_TTY=/dev/pts/3\0"sv, "SSH_CONNECTION="sv,
          "SSH_CONNECTION=\0"sv, "SSH_CONNECTION= 1 2 3"sv, "XSSH_CONNECTION=10.0.0.5 1 2 3\0"sv,
          "SSH_CONNECTION"sv})
        CHECK(!parse_login(bytes));
}

TEST_CASE("a variable that was cut off by a limit is taken as far as it goes") {
    const auto login = parse_login("SSH_CONNECTION=10.0.0.5 500"sv);
    REQUIRE(login);
    CHECK(login->client_port == 500);
    REQUIRE(parse_login("SSH_CONNECTION=10.0.0"sv));
    CHECK(parse_login("SSH_CONNECTION=10.0.0"sv)->client_port == 0);
}

TEST_CASE("a port that is none is zero") {
    for (const std::string_view bytes :
         {"SSH_CONNECTION=a b c d\0"sv, "SSH_CONNECTION=a 12x c d\0"sv,
          "SSH_CONNECTION=a 99999999999999 c d\0"sv, "SSH_CONNECTION=a\0"sv}) {
        REQUIRE(parse_login(bytes));
        CHECK(parse_login(bytes)->client_port == 0);
    }
}

TEST_CASE("a terminal is only shown where it is a device") {
    const auto login = parse_login("SSH_CONNECTION=a 1 b 2\0SSH_TTY=not a device\0"sv);
    REQUIRE(login);
    CHECK(login->tty.empty());
}

TEST_CASE("what an environment says cannot drive a terminal or end a line, nor be long") {
    const std::string bytes = "SSH_CONNECTION=a\x1b[31m\n 1 2 3" + std::string(1, '\0') +
                              "SSH_TTY=/dev/" + std::string(5000, 'x');
    const auto login = parse_login(bytes);
    REQUIRE(login);
    CHECK(login->client_address == "a\\x1b[31m\\n");
    CHECK(login->tty.size() < 100);
}

TEST_CASE("a process without such children has no login, one that is gone has no name") {
    CHECK(!login_of(0));
    CHECK(!login_of(-1));
    CHECK(program_of(-1).empty());
    CHECK(program_of(::getpid()).starts_with("unit-"));
}

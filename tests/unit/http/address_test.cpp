#include "supervisor/http/address.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("addresses are literal, and written in one way") {
    for (const auto& pair : {
             std::pair("127.0.0.1:7221", "127.0.0.1:7221"),
             std::pair("localhost:1", "127.0.0.1:1"),
             std::pair("0.0.0.0:65535", "0.0.0.0:65535"),
             std::pair("[::1]:7221", "[::1]:7221"),
             std::pair("[0:0::1]:7221", "[::1]:7221"),
             std::pair("unix:/a/b", "unix:/a/b"),
         }) {
        const Result<ListenAddress> address = parse_listen_address(pair.first);
        REQUIRE_MESSAGE(address, pair.first);
        CHECK(to_text(*address) == pair.second);
    }
}

TEST_CASE("what is no address is refused") {
    for (const char* const text :
         {"", ":", "7221", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
          "127.0.0.1:x", "127.0.0.1:+7", "example.org:80", "::1:7221", "[127.0.0.1]:80", "[::1]",
          "unix:", "unix:relative", "unix:/", "unix:/directory/", " 127.0.0.1:80", "1:80"})
        CHECK_MESSAGE(!parse_listen_address(text), text);
    CHECK_FALSE(parse_listen_address("unix:/" + std::string(110, 'a')));
}

TEST_CASE("only loopback and Unix sockets are local") {
    const auto local = [](const char* text) { return is_local(*parse_listen_address(text)); };
    CHECK(local("127.0.0.1:1"));
    CHECK(local("127.9.9.9:1"));
    CHECK(local("[::1]:1"));
    CHECK(local("unix:/x"));
    CHECK_FALSE(local("0.0.0.0:1"));
    CHECK_FALSE(local("[::]:1"));
    CHECK_FALSE(local("172.17.0.1:1"));
    CHECK_FALSE(local("[::ffff:127.0.0.1]:1"));
}

TEST_CASE("a Unix socket has its permissions, and takes the place of one that nobody serves") {
    const TempDir temp;
    const ListenAddress address{.path = temp.entry("s"), .endpoint = {}};
    {
        const Result<UniqueFd> first = listen_at(address, 0660);
        REQUIRE(first);
        struct stat status {};
        REQUIRE(::stat(address.path.c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0660);
        const Result<UniqueFd> second = listen_at(address);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == EADDRINUSE);
    }
    CHECK(listen_at(address));
}

TEST_CASE("permissions are given to a socket alone, and not where its name leads") {
    const TempDir temp;
    temp.write("victim", "text");
    const auto mode_of = [&](const char* name) {
        struct stat status {};
        REQUIRE(::stat(temp.entry(name).c_str(), &status) == 0);
        return status.st_mode & 07777;
    };
    REQUIRE(::chmod(temp.entry("victim").c_str(), 0600) == 0);
    REQUIRE(::symlink(temp.entry("victim").c_str(), temp.entry("link").c_str()) == 0);
    CHECK_FALSE(set_socket_mode(temp.entry("link"), 0666));
    CHECK_FALSE(set_socket_mode(temp.entry("victim"), 0666));
    CHECK_FALSE(set_socket_mode(temp.entry("nothing"), 0666));
    CHECK(mode_of("victim") == 0600);
    const Result<UniqueFd> listener = listen_at(temp.entry("s"));
    REQUIRE(listener);
    CHECK(set_socket_mode(temp.entry("s"), 0666));
    CHECK(mode_of("s") == 0666);
}

TEST_CASE("nothing but a socket is replaced, and only where others cannot interfere") {
    const TempDir temp;
    temp.write("file", "text");
    const Result<UniqueFd> replaced = listen_at(ListenAddress{temp.entry("file"), {}});
    REQUIRE_FALSE(replaced);
    CHECK(replaced.error().code == EEXIST);
    REQUIRE(::chmod(temp.path().c_str(), 0777) == 0);
    const Result<UniqueFd> shared = listen_at(ListenAddress{temp.entry("s"), {}});
    REQUIRE_FALSE(shared);
    CHECK(shared.error().code == EPERM);
}

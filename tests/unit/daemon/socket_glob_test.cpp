#include "supervisor/daemon/socket_glob.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

std::string expanded(std::string_view pattern, const std::string& home = "/home/ann") {
    const Result<std::string> glob = absolute_glob(pattern, home);
    return glob ? *glob : "expected " + glob.error().message;
}

bool refused(std::string_view pattern, std::string_view why) {
    const std::string answer = expanded(pattern);
    return answer.starts_with("expected ") && answer.find(why) != std::string::npos;
}

} // namespace

TEST_CASE("an absolute pattern stays as it is") {
    CHECK(expanded("/run/*/a[gh]ent.?") == "/run/*/a[gh]ent.?");
    CHECK(expanded("/run/~/\\$x") == "/run/~/\\$x");
}

TEST_CASE("a leading ~/ is the home directory, whatever is in its name") {
    CHECK(expanded("~/*.sock") == "/home/ann/*.sock");
    CHECK(expanded("~/a", "/h/[a]*?\\") == "/h/\\[a]\\*\\?\\\\/a");
}

TEST_CASE("without a home directory ~/ is refused") {
    for (const char* home : {"", "home/ann"})
        CHECK(expanded("~/a", home) ==
              "expected an absolute path, for the home directory is not known");
}

TEST_CASE("what a shell would expand is refused, never guessed") {
    for (const char* pattern : {"$HOME/x", "/run/${UID}/x", "/run/$UID", "~/$X", "/a\\\\$b", "/$"})
        CHECK_MESSAGE(refused(pattern, "without variables"), std::string(pattern));
    for (const char* pattern : {"~", "~bob/x", "~bob"})
        CHECK_MESSAGE(refused(pattern, "\"~/\", the own home directory"), std::string(pattern));
}

TEST_CASE("a relative pattern is refused") {
    for (const char* pattern : {"", "a", "a/b", "./a", " /a", "*"})
        CHECK_MESSAGE(refused(pattern, "an absolute path"), std::string(pattern));
}

TEST_CASE("a pattern ends in the name of a socket") {
    for (const char* pattern : {"/", "/run/", "~/"})
        CHECK_MESSAGE(refused(pattern, "name of a socket"), std::string(pattern));
}

TEST_CASE("a NUL would end the path") {
    CHECK(refused(std::string_view("/a\0b", 4), "NUL"));
}

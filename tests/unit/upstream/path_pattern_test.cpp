#include "supervisor/upstream/path_pattern.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_view_literals;

TEST_CASE("a pattern has a component for each name; empty ones are ignored") {
    const PathPattern pattern("//tmp/ssh-*//agent.*");
    CHECK(pattern.size() == 3);
    CHECK(pattern.is_literal(0));
    CHECK(!pattern.is_literal(1));
    CHECK(!pattern.is_literal(2));
    CHECK(!pattern.is_last(1));
    CHECK(pattern.is_last(2));
}

TEST_CASE("the literal directories of a pattern have paths") {
    const PathPattern pattern("/home/ann/.ssh/agent/s.*.sshd.*");
    CHECK(pattern.directory(0) == "/");
    CHECK(pattern.directory(1) == "/home");
    CHECK(pattern.directory(4) == "/home/ann/.ssh/agent");
}

TEST_CASE("a literal component fits itself and nothing else") {
    const PathPattern pattern("/tmp/.hidden/x");
    CHECK(pattern.matches(0, "tmp"));
    CHECK(pattern.matches(1, ".hidden"));
    for (const char* name : {"", "tm", "tmpx", "TMP"})
        CHECK_MESSAGE(!pattern.matches(0, name), name);
}

TEST_CASE("wildcards fit as glob(7) says") {
    const PathPattern pattern("/ssh-*/agent.[0-9]?/[!a]x/\\*");
    CHECK(pattern.matches(0, "ssh-"));
    CHECK(pattern.matches(0, "ssh-XXXXabcd"));
    CHECK(!pattern.matches(0, "ssh"));
    CHECK(!pattern.matches(0, "xssh-a"));
    CHECK(pattern.matches(1, "agent.12"));
    CHECK(!pattern.matches(1, "agent.1"));
    CHECK(!pattern.matches(1, "agent.a1"));
    CHECK(pattern.matches(2, "bx"));
    CHECK(!pattern.matches(2, "ax"));
    CHECK(pattern.matches(3, "*"));
    CHECK(!pattern.matches(3, "a"));
}

TEST_CASE("sshd's names fit the patterns that they are looked for with") {
    const PathPattern old("/tmp/ssh-*/agent.*");
    CHECK(old.matches(1, "ssh-Ab3xYz012345"));
    CHECK(old.matches(2, "agent.12345"));
    CHECK(!old.matches(2, "agent"));
    const PathPattern present("/h/.ssh/agent/s.*.sshd.*");
    CHECK(present.matches(3, "s.n3qxLkM3kd.sshd.4jdKoP2e1c"));
    CHECK(!present.matches(3, "s.n3qxLkM3kd.agent.4jdKoP2e1c"));
}

TEST_CASE("a wildcard fits a hidden name only where the pattern says the dot") {
    CHECK(!PathPattern("/*").matches(0, ".x"));
    CHECK(!PathPattern("/?x").matches(0, ".x"));
    CHECK(!PathPattern("/[.]x").matches(0, ".x"));
    CHECK(PathPattern("/.*").matches(0, ".x"));
}

TEST_CASE("a wildcard fits no name with control characters") {
    const PathPattern pattern("/agent.*");
    for (const std::string_view name : {"agent.\n"sv, "agent.a\nb"sv, "agent.\t"sv,
                                        "agent.\x1b[31m"sv, "agent.\x7f"sv, "agent.\x01"sv})
        CHECK(!pattern.matches(0, name));
    CHECK(pattern.matches(0, "agent. with spaces"));
    CHECK(pattern.matches(0, "agent.\xc3\xa9"));
}

TEST_CASE("a pattern that is no good glob fits nothing and harms nothing") {
    CHECK(!PathPattern("/a[").matches(0, "ab"));
    CHECK(!PathPattern("/a\\").matches(0, "ab"));
}

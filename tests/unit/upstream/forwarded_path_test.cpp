#include "supervisor/upstream/forwarded_path.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

const ForwardedPlaces places{.tmp = "/tmp", .home = "/home/u", .runtime = "/run/user/7"};

std::optional<PlaceKind> kind_of(std::string_view path) {
    const auto parsed = parse_forwarded(places, path);
    return parsed ? std::optional(parsed->kind) : std::nullopt;
}

} // namespace

TEST_CASE("a forwarded agent's path is known by its shape and place") {
    CHECK(kind_of("/tmp/ssh-XXXXabcdefgh/agent.4242") == PlaceKind::session);
    CHECK(kind_of("/home/u/.ssh/agent/s.abc.sshd.xyz") == PlaceKind::kept);
    CHECK(kind_of("/tmp/vscode-ssh-auth-1234.sock") == PlaceKind::shared);
    CHECK(kind_of("/run/user/7/vscode-ssh-auth-1234.sock") == PlaceKind::kept);
    const auto parsed = parse_forwarded(places, "/tmp/ssh-X/agent.1");
    REQUIRE(parsed);
    CHECK(parsed->directory == "/tmp/ssh-X");
    CHECK(parsed->name == "agent.1");
    CHECK(parsed->path() == "/tmp/ssh-X/agent.1");
}

TEST_CASE("nothing else is") {
    for (const std::string_view path : {"",
                                        "/",
                                        "agent.1",
                                        "/tmp/agent.1",
                                        "/tmp/ssh-/agent.1",
                                        "/tmp/ssh-X/agent.",
                                        "/tmp/ssh-X",
                                        "/tmp/ssh-X/y/agent.1",
                                        "/tmp/ssh-X/../agent.1",
                                        "/tmp//ssh-X/agent.1",
                                        "/tmp/ssh-X/agent.1/",
                                        "/tmp/ssh-X/agent.1/x",
                                        "/tmpx/ssh-X/agent.1",
                                        "/var/tmp/ssh-X/agent.1",
                                        "/tmp/ssh-X/agent.1\n",
                                        "/tmp/vscode-ssh-auth-",
                                        "/tmp/d/vscode-ssh-auth-1",
                                        "/home/u/.ssh/agent/s.abc.agent.xyz",
                                        "/home/u/.ssh/agent/s..sshd.x",
                                        "/home/u/.ssh/agent/x",
                                        "/home/v/.ssh/agent/s.abc.sshd.xyz",
                                        "/run/user/8/vscode-ssh-auth-1",
                                        "/nonexistent"}) {
        CAPTURE(path);
        CHECK_FALSE(kind_of(path));
    }
    CHECK_FALSE(kind_of("/tmp/ssh-X/agent." + std::string(100, '1')));
}

TEST_CASE("a socket that is set aside is not") {
    CHECK_FALSE(kind_of("/tmp/ssh-X/agent.1.hung"));
}

TEST_CASE("where the home and runtime directories are unknown, nothing below them is") {
    const ForwardedPlaces tmp_alone{.tmp = "/tmp", .home = {}, .runtime = {}};
    CHECK_FALSE(parse_forwarded(tmp_alone, "/.ssh/agent/s.abc.sshd.xyz"));
    CHECK_FALSE(parse_forwarded(tmp_alone, "/vscode-ssh-auth-1"));
    CHECK(parse_forwarded(tmp_alone, "/tmp/ssh-X/agent.1"));
}

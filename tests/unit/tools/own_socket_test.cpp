#include "tools/own_socket.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("forwarded agent sockets have a shape") {
    CHECK(has_forwarded_shape("/tmp/ssh-abc/agent.1"));
    CHECK(has_forwarded_shape("/home/me/.ssh/agent/s.x.sshd.y"));
    CHECK(has_forwarded_shape("/run/user/1000/vscode-ssh-auth-1.sock"));
    CHECK(!has_forwarded_shape(""));
    CHECK(!has_forwarded_shape("/nonexistent"));
    CHECK(!has_forwarded_shape("/tmp/ssh-abc/x/agent.1"));
    CHECK(!has_forwarded_shape("/tmp/ssh-abc/other"));
    CHECK(!has_forwarded_shape("/home/me/.ssh/agent/s.x.agent.y"));
    CHECK(!has_forwarded_shape("/home/me/other/s.x.sshd.y"));
    CHECK(!has_forwarded_shape("/d/vscode-ssh-auth-1/agent"));
    CHECK(!has_forwarded_shape("vscode-ssh-auth-1.sock"));
}

TEST_CASE("a symlink to the stable socket leads back to it") {
    const TempDir directory;
    const Result<UniqueFd> stable = listen_at(directory.entry("agent.sock"));
    const Result<UniqueFd> other = listen_at(directory.entry("other"));
    REQUIRE(stable);
    REQUIRE(other);
    REQUIRE(::symlink("agent.sock", directory.entry("stand-in").c_str()) == 0);
    CHECK(leads_back(directory.entry("stand-in"), directory.path()));
    CHECK(leads_back(directory.entry("agent.sock"), directory.path()));
    CHECK(!leads_back(directory.entry("other"), directory.path()));
    CHECK(!leads_back(directory.entry("nothing"), directory.path()));
}

TEST_CASE("the shim leads away from where nobody listens, and from nowhere else") {
    const TempDir directory;
    const std::string path = directory.entry("vscode-ssh-auth-1");
    CHECK(is_led_by_shim(path));
    CHECK(!is_led_by_shim(directory.entry("agent")));
    Result<UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    CHECK(!is_led_by_shim(path));
    listener->reset();
    CHECK(is_led_by_shim(path));
}

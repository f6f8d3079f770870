#include "tools/own_agent.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("an agent of a login is none of the user's own") {
    CHECK(is_of_a_login("/tmp/ssh-abc/agent.1", "sshd"));
    CHECK(is_of_a_login("/home/me/.ssh/agent/s.x.sshd.y", "sshd-session"));
    CHECK(is_of_a_login("/tmp/dropbear-1/auth-1", "dropbear"));
    CHECK(is_of_a_login("/run/user/1000/vscode-ssh-auth-1.sock", "node"));
    CHECK(is_of_a_login("/d/agent.sock", "livesockd"));
    CHECK(!is_of_a_login("/tmp/ssh-abc/agent.1", "ssh-agent"));
    CHECK(!is_of_a_login("/run/user/1000/gnupg/S.gpg-agent.ssh", "gpg-agent"));
    CHECK(!is_of_a_login("/d/vscode-ssh-auth-1/agent", ""));
}

TEST_CASE("an agent of the user's own is one that listens") {
    const TempDir directory;
    const std::string path = directory.entry("agent");
    CHECK(!is_own_agent(""));
    CHECK(!is_own_agent(path));
    Result<UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    CHECK(is_own_agent(path)); // this program is neither sshd nor livesockd
    listener->reset();
    CHECK(!is_own_agent(path));
}

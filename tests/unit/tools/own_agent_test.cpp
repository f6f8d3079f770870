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

TEST_CASE("what a shell uses depends on its path, on who listens there, and on the shim") {
    const std::string path = "/tmp/ssh-abc/agent.1";
    SocketFacts login{.path = path, .state = SocketState::answers};
    CHECK(use_of({}, path, true) == ShellUse::nothing);
    SUBCASE("the agent of a login lasts no longer than that") {
        CHECK(use_of(login, path, false) == ShellUse::nothing);
        CHECK(use_of(login, "", false) == ShellUse::nothing);
        login.state = SocketState::gone;
        login.is_led = true;
        CHECK(use_of(login, path, false) == ShellUse::nothing);
    }
    SUBCASE("unless the shim leads on") {
        CHECK(use_of(login, path, true) == ShellUse::livesock);
        CHECK(use_of(login, "/tmp/ssh-def/agent.2", true) == ShellUse::login);
        login.state = SocketState::silent; // it steps in where nobody listens
        CHECK(use_of(login, "", true) == ShellUse::nothing);
        login.state = SocketState::gone;
        CHECK(use_of(login, "", true) == ShellUse::nothing);
        login.is_led = true;
        CHECK(use_of(login, "", true) == ShellUse::livesock);
    }
    SUBCASE("what leads to livesock lasts") {
        login.is_ours = true;
        CHECK(use_of(login, "", false) == ShellUse::livesock);
    }
    SUBCASE("an agent that the user runs is the user's choice, whatever it is called") {
        login.is_own = true;
        CHECK(use_of(login, "", false) == ShellUse::own);
        CHECK(use_of(login, "", true) == ShellUse::own);
        CHECK(use_of(login, path, true) == ShellUse::livesock);
    }
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

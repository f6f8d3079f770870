#include "supervisor/upstream/client_facts.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;
using namespace std::string_view_literals;

TEST_CASE("a client is known by its program and its directory") {
    const ClientFacts facts = facts_of_client(::getpid());
    CHECK(facts.pid == ::getpid());
    CHECK(facts.program == "unit-upstream");
    CHECK(facts.directory == std::filesystem::current_path());
    CHECK(!facts.command.empty());
}

TEST_CASE("of a client that is gone nothing but its number is known") {
    for (const pid_t pid : {0, -1}) {
        const ClientFacts facts = facts_of_client(pid);
        CHECK(facts.pid == pid);
        CHECK(facts.program.empty());
        CHECK(facts.command.empty());
        CHECK(facts.directory.empty());
    }
}

TEST_CASE("a pane is told by the variables of tmux") {
    const PaneName name = pane_in("A=1\0TMUX=/tmp/tmux-0/de,fault,123,4\0TMUX_PANE=%31\0"sv);
    CHECK(name.pane == "%31");
    CHECK(name.socket == "/tmp/tmux-0/de,fault");
}

TEST_CASE("what is not in the form of tmux is no pane") {
    for (const std::string_view block :
         {""sv, "TMUX_PANE=%3\0"sv, "TMUX=/tmp/x,1,2\0"sv, "TMUX=/tmp/x,1,2\0TMUX_PANE=3\0"sv,
          "TMUX=/tmp/x,1,2\0TMUX_PANE=%\0"sv, "TMUX=/tmp/x,1,2\0TMUX_PANE=%3;x\0"sv,
          "TMUX=tmp/x,1,2\0TMUX_PANE=%3\0"sv, "TMUX=/tmp/x\0TMUX_PANE=%3\0"sv,
          "TMUX=,\0TMUX_PANE=%3\0"sv, "TMUX=/tmp/x,1\0TMUX_PANE=%3\0"sv,
          "TMUX=/tmp/x,1,2\0TMUX_PANE=%3333333333333333\0"sv}) {
        CHECK(pane_in(block).pane.empty());
        CHECK(pane_in(block).socket.empty());
    }
}

TEST_CASE("shells are told from what is done in them") {
    CHECK(is_shell("bash"));
    CHECK(is_shell("fish"));
    CHECK(!is_shell("git"));
    CHECK(!is_shell(""));
}

TEST_CASE("of the place where a client was started only what its environment has is known") {
    const ClientPlace none = place_of_client(0);
    CHECK(none.pane.empty());
    CHECK(none.socket.empty());
    CHECK(!none.login);
}

#include "supervisor/upstream/tmux_clients.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// A tmux that is a shell script, and a socket that may be asked.
struct Typed {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children{loop};
    int answers = 0;
    std::string script = temp.entry("tmux");
    Pane pane{temp.entry("socket"), "%3"};
    UniqueFd listener = std::move(*listen_at(pane.socket));
    TmuxClients clients{loop, children, [this] { ++answers; }, script};

    explicit Typed(const std::string& body) {
        temp.write("tmux", "#!/bin/sh\necho \"$*\" >>" + temp.entry("asked") + '\n' + body + '\n');
        REQUIRE(::chmod(script.c_str(), 0700) == 0);
    }
    const TmuxClients::Answer* ask() {
        CHECK(clients.ask(pane));
        const int before = answers;
        REQUIRE(run_until(loop, [&] { return answers > before; }));
        return clients.known(pane);
    }
    std::string asked() const { return temp.read("asked"); }
};

} // namespace

TEST_CASE("of the clients of a listing the last active one is told") {
    CHECK(last_active("100 1\n300 3\n200 2\n") == 3);
    CHECK(last_active("100 1") == 1);
    CHECK(last_active("100 1\n100 2\n") == 1);
    CHECK(last_active("100 1 0\n100 2 1\n") == 2);
    CHECK(last_active("100 1 1\n100 2 0\n") == 1);
    CHECK(last_active("100 1 1\n200 2 0\n") == 2);
    for (const char* text :
         {"", "\n\n", "x 1", "100", "100 x", "100 -1", "-5 7", "99999999999999999999 1"})
        CHECK_MESSAGE(!last_active(text), text);
}

TEST_CASE("tmux is asked about the pane on its own server, once at a time") {
    Typed typed("echo 100 $$");
    CHECK(typed.clients.known(typed.pane) == nullptr);
    CHECK(typed.clients.ask(typed.pane));
    CHECK(typed.clients.ask(typed.pane));
    const TmuxClients::Answer* const answer = typed.ask();
    REQUIRE(answer != nullptr);
    CHECK(!answer->login); // the script has ended, or came by no ssh
    CHECK(typed.clients.is_fresh(*answer));
    CHECK(typed.asked() == "-S " + typed.pane.socket +
                               " list-clients -t %3 -F #{client_activity} #{client_pid} "
                               "#{==:#{client_name},#{@livesock_active}}\n");
}

TEST_CASE("the login of the client is told by its environment") {
    // The client is this script's parent's other child: one that sleeps with the variable set.
    Typed typed("SSH_CONNECTION='10.0.0.5 4711 10.0.0.1 22' sleep 100 >/dev/null & echo 100 $!\n"
                "for i in 1 2 3 4 5 6 7 8 9; do\n"
                "  grep -qs 10.0.0.5 /proc/$!/environ && break; sleep 0.02; done\n"
                "exec >/dev/null; wait");
    const TmuxClients::Answer* const answer = typed.ask();
    REQUIRE(answer != nullptr);
    REQUIRE(answer->login);
    CHECK(answer->login->client_address == "10.0.0.5");
    CHECK(answer->login->client_port == 4711);
    typed.children.end_all();
}

TEST_CASE("a tmux that fails, or cannot be started, has said that it knows nothing") {
    Typed typed("exit 1");
    CHECK(!typed.ask()->login);
    TmuxClients none(
        typed.loop, typed.children, [] {}, "/no/such/tmux");
    CHECK(!none.ask(typed.pane));
    REQUIRE(none.known(typed.pane) != nullptr);
    CHECK(!none.known(typed.pane)->login);
}

TEST_CASE("what is no socket of ours is not asked") {
    Typed typed("echo 100 1");
    for (const std::string& path : {typed.temp.entry("none"), typed.script, std::string()}) {
        CHECK(!typed.clients.ask({path, "%3"}));
        CHECK(typed.clients.known({path, "%3"}) == nullptr);
    }
    settle(typed.loop);
    CHECK(!std::filesystem::exists(typed.temp.entry("asked")));
}

TEST_CASE("what is known of panes is bounded, though tmux cannot be started") {
    Typed typed("exit 1");
    TmuxClients none(
        typed.loop, typed.children, [] {}, "/no/such/tmux");
    for (std::size_t i = 0; i <= TmuxClients::most_known; ++i)
        CHECK(!none.ask({typed.pane.socket, "%" + std::to_string(i)}));
    CHECK(none.known({typed.pane.socket, "%0"}) == nullptr);
    CHECK(none.known({typed.pane.socket, "%" + std::to_string(TmuxClients::most_known)}) !=
          nullptr);
}

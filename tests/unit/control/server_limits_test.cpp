#include "supervisor/control/server.hpp"

#include "tests/support/stranger.hpp"
#include "tests/unit/control/controlled.hpp"

#include <sys/resource.h>

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const json ping{{"command", "ping"}};

std::vector<FarEnd> connect_all(const Controlled& controlled) {
    std::vector<FarEnd> clients;
    for (std::size_t i = 0; i < most_control_connections; ++i)
        clients.push_back(controlled.connect());
    return clients;
}

bool serves(Controlled& controlled, FarEnd& client) {
    return controlled.ask(client, ping).value("ok", false);
}

/// What the kernel has counted of this process's turns on a processor.
double seconds_of_work() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

} // namespace

TEST_CASE("as many clients as there may be are all served") {
    Controlled controlled;
    std::vector<FarEnd> clients = connect_all(controlled);
    for (FarEnd& client : clients)
        CHECK(serves(controlled, client));
}

TEST_CASE("for one client more the oldest that waits for nothing is closed") {
    Controlled controlled;
    std::vector<FarEnd> clients = connect_all(controlled);
    controlled.tell(clients[0], wait_for_ever);
    CHECK(serves(controlled, clients[1]));
    FarEnd next = controlled.connect();
    CHECK(serves(controlled, next));
    CHECK(clients[1].at_end());
    FarEnd last = controlled.connect();
    CHECK(serves(controlled, last));
    CHECK(clients[2].at_end());
    CHECK(serves(controlled, clients[3]));
    CHECK(!clients[0].at_end());
    CHECK(serves(controlled, next));
}

TEST_CASE("many clients that come at once are each served or closed, the last ones served") {
    Controlled controlled;
    std::vector<FarEnd> clients;
    for (std::size_t i = 0; i < 2 * most_control_connections; ++i)
        clients.push_back(controlled.connect());
    for (std::size_t i = clients.size(); i-- > most_control_connections;)
        CHECK(serves(controlled, clients[i]));
    for (std::size_t i = 0; i < most_control_connections; ++i)
        CHECK(clients[i].at_end());
}

TEST_CASE("while all clients wait for an answer one more is told that") {
    Controlled controlled;
    std::vector<FarEnd> clients = connect_all(controlled);
    for (FarEnd& client : clients)
        controlled.tell(client, wait_for_ever);
    FarEnd next = controlled.connect();
    CHECK(controlled.receive(next) ==
          json{{"ok", false},
               {"code", "busy"},
               {"error", "too many clients of the control socket wait for an answer"}});
    CHECK(run_until(controlled.loop, [&] { return next.at_end(); }));

    clients.back().close();
    settle(controlled.loop);
    FarEnd late = controlled.connect();
    CHECK(serves(controlled, late));
    const FakeAgent& agent = controlled.add_live('a');
    clients.pop_back();
    for (FarEnd& client : clients)
        CHECK(controlled.receive(client)["live"] == agent.path());
}

TEST_CASE("a client that does not read its answer makes room for another") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.keys = {{make_blob('a'), std::string(200'000, 'x')}};
    controlled.add(agent);
    REQUIRE(controlled.becomes(agent, AgentState::live));
    FarEnd lazy = controlled.connect();
    for (int i = 0; i < 4; ++i)
        controlled.tell(lazy, {{"command", "list"}});
    agent.log_out();
    REQUIRE(run_until(controlled.loop, [&] { return controlled.pool.selected() == nullptr; }));
    std::vector<FarEnd> waiting;
    while (waiting.size() < most_control_connections - 1) {
        waiting.push_back(controlled.connect());
        controlled.tell(waiting.back(), wait_for_ever);
    }
    FarEnd next = controlled.connect();
    CHECK(serves(controlled, next));
    CHECK(lazy.at_end());
}

TEST_CASE("where descriptors run out accepting pauses without work, and resumes") {
    Controlled controlled;
    FarEnd first = controlled.connect();
    REQUIRE(serves(controlled, first));
    FarEnd client = controlled.connect();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const double work = seconds_of_work();
    Watch pause = controlled.loop.timer([&] { controlled.loop.stop(); });
    pause.start(200ms);
    const bool ran = controlled.loop.run().ok();
    const double worked = seconds_of_work() - work;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(ran);
    CHECK(worked < 0.1);
    CHECK(serves(controlled, client));
    CHECK(serves(controlled, first));
}

TEST_CASE("a process of another user is not served, even where it can connect" *
          doctest::skip(::geteuid() != 0)) {
    Controlled controlled;
    CHECK(reception_of_stranger(controlled.loop, controlled.temp.path(),
                                controlled.directory.path(), controlled.path,
                                "{\"command\":\"stop\"}\n") == Reception::refused);
    CHECK(controlled.host.stops == 0);
    CHECK(controlled.ask(ping)["ok"] == true);
}

TEST_CASE("a server may be destroyed with clients in every state") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.is_silent = true;
    controlled.add(agent);
    FarEnd idle = controlled.connect();
    FarEnd waiting = controlled.connect();
    controlled.tell(waiting, {{"command", "wait"}, {"timeout_ms", 3'600'000}});
    FarEnd gone = controlled.connect();
    controlled.tell(gone, wait_for_ever);
    gone.close();
    controlled.server.reset();
    for (FarEnd* const client : {&idle, &waiting})
        CHECK(client->at_end());
}

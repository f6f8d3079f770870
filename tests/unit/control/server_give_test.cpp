// A restart, as the control server sees it.
#include "tests/unit/control/controlled.hpp"

using namespace livesock;

namespace {

using nlohmann::json;

/// What is given to the other process, as the line that it is to answer first.
std::vector<std::string> given_by(ControlServer& server) {
    std::vector<std::string> lines;
    server.give_clients([&](int, const std::string& line) {
        lines.push_back(line);
        return true;
    });
    return lines;
}

} // namespace

TEST_CASE("a restart is answered when it is done, and the connection ends") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    controlled.tell(client, {{"command", "restart"}});
    REQUIRE(controlled.host.restarts.size() == 1);
    CHECK(client.take().empty());
    SUBCASE("well") {
        controlled.host.restarts[0](pid_t{42});
        CHECK(controlled.receive(client) == json{{"ok", true}, {"pid", 42}});
        CHECK(run_until(controlled.loop, [&] { return client.at_end(); }));
    }
    SUBCASE("or has failed, and it does not") {
        controlled.host.restarts[0](Error{"why"});
        const json answer = controlled.receive(client);
        CHECK(answer["code"] == "refused");
        CHECK(answer["error"] == "why");
        CHECK(controlled.ask(client, {{"command", "ping"}})["ok"] == true);
    }
}

TEST_CASE("a client that asks nothing is given away, one that waits for an answer is not") {
    Controlled controlled;
    const FarEnd idle = controlled.connect();
    FarEnd asking = controlled.connect();
    controlled.tell(asking, {{"command", "restart"}});
    CHECK(given_by(*controlled.server) == std::vector<std::string>{""});
    CHECK(controlled.server->clients() == 1);
}

TEST_CASE("one that waits for an agent is given away with what is left of its patience") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    controlled.tell(client, {{"command", "wait"}, {"timeout_ms", 60'000}});
    const std::vector<std::string> lines = given_by(*controlled.server);
    REQUIRE(lines.size() == 1);
    const json request = json::parse(lines[0]);
    CHECK(request["command"] == "wait");
    CHECK(request["timeout_ms"].get<double>() > 0);
    CHECK(request["timeout_ms"].get<double>() <= 60'000);
}

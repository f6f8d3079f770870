#include "supervisor/control/watchers.hpp"

#include "tests/unit/control/controlled.hpp"

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Watched {
    EventLoop loop = make_loop();
    std::vector<Watchers::Id> answered;
    Watchers watchers{loop, [this](Watchers::Id id) { answered.push_back(id); }};
};

json watch_request(const json& seen, int timeout_ms) {
    return {{"command", "watch"}, {"seen", seen}, {"timeout_ms", timeout_ms}};
}

} // namespace

TEST_CASE("who has not seen the last change is answered at once") {
    Watched watched;
    watched.watchers.wait(1, std::nullopt, 1h);
    watched.watchers.wait(2, watched.watchers.changes() + 5, 1h);
    CHECK(watched.answered == std::vector<Watchers::Id>{1, 2});
}

TEST_CASE("who has seen it waits for the next, and is answered once") {
    Watched watched;
    watched.watchers.wait(1, watched.watchers.changes(), 1h);
    watched.watchers.wait(2, watched.watchers.changes(), 1h);
    watched.watchers.forget(2);
    settle(watched.loop);
    CHECK(watched.answered.empty());
    watched.watchers.note_change();
    watched.watchers.note_change();
    CHECK(watched.answered.empty());
    settle(watched.loop);
    CHECK(watched.answered == std::vector<Watchers::Id>{1});
    watched.watchers.note_change();
    settle(watched.loop);
    CHECK(watched.answered.size() == 1);
}

TEST_CASE("patience ends") {
    Watched watched;
    watched.watchers.wait(1, watched.watchers.changes(), 1h);
    watched.watchers.wait(2, watched.watchers.changes(), 1ms);
    watched.watchers.wait(3, watched.watchers.changes(), -1s);
    REQUIRE(run_until(watched.loop, [&] { return watched.answered.size() == 2; }));
    CHECK(std::find(watched.answered.begin(), watched.answered.end(), 1) == watched.answered.end());
    watched.watchers.answer_all();
    CHECK(watched.answered.back() == 1);
}

TEST_CASE("a watcher is told of a change among the agents, without asking them") {
    Controlled controlled;
    FakeAgent& agent = controlled.add_live('a');
    FarEnd client = controlled.connect();
    const json first = controlled.ask(client, {{"command", "watch"}});
    CHECK(first["live"] == agent.path());
    CHECK(first["done"] == json::array());
    const std::size_t questions = agent.requests.size();
    controlled.tell(client, watch_request(first["changes"], 60'000));
    CHECK(client.received().empty());
    agent.log_out();
    const json second = controlled.receive(client);
    CHECK(second["live"] == nullptr);
    CHECK(second["changes"] > first["changes"]);
    CHECK(agent.requests.size() == questions);
}

TEST_CASE("a watcher is told of requests that were answered") {
    Controlled controlled;
    CHECK(!controlled.host.watched.is_watched(Clock::now()));
    FarEnd client = controlled.connect();
    const json first = controlled.ask(client, {{"command", "watch"}});
    CHECK(controlled.host.watched.is_watched(Clock::now()));
    CHECK(!controlled.host.watched.is_watched(Clock::now() + 11s));
    controlled.tell(client, watch_request(first["changes"], 60'000));
    for (int i = 0; i < 40; ++i)
        controlled.host.watched.add({.number = 0,
                                     .at = std::chrono::system_clock::time_point(1000s),
                                     .kind = RequestKind::sign,
                                     .client = {7, "ssh", "git", {}, {}, {}},
                                     .path = "/a",
                                     .label = "laptop",
                                     .end = RequestEnd::failed,
                                     .took = 1500ms});
    const json second = controlled.receive(client);
    REQUIRE(second["done"].size() == 32);
    CHECK(second["done"].back() == json{{"number", 40},
                                        {"time", 1000},
                                        {"request", "sign"},
                                        {"pid", 7},
                                        {"program", "ssh"},
                                        {"command", "git"},
                                        {"directory", nullptr},
                                        {"pane", nullptr},
                                        {"agent", "/a"},
                                        {"label", "laptop"},
                                        {"end", "failed"},
                                        {"seconds", 1.5}});
}

TEST_CASE("a watch that is over, or odd, is answered with what is") {
    Controlled controlled;
    const json first = controlled.ask({{"command", "watch"}});
    CHECK(controlled.ask(watch_request(first["changes"], 1))["changes"] == first["changes"]);
    for (const json& seen : {json("x"), json(-1), json(1.5), json(nullptr), json::array()})
        CHECK(controlled.ask(watch_request(seen, 60'000))["ok"] == true);
    CHECK(controlled.ask({{"command", "watch"}, {"timeout_ms", "soon"}})["ok"] == true);
    FarEnd leaving = controlled.connect();
    controlled.tell(leaving, watch_request(first["changes"], 60'000));
    leaving.close();
    settle(controlled.loop);
    controlled.add_live('a');
    CHECK(controlled.ask({{"command", "watch"}})["ok"] == true);
}

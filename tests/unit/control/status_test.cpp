#include "supervisor/control/status.hpp"

#include "supervisor/agent/public_key.hpp"
#include "tests/unit/control/controlled.hpp"

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json status_of(const Controlled& controlled) {
    return describe_status(controlled.host.told, controlled.pool, controlled.stand_ins,
                           controlled.host.used);
}

std::vector<std::string> paths_in(const json& status) {
    std::vector<std::string> paths;
    for (const json& agent : status["agents"])
        paths.push_back(agent["path"]);
    return paths;
}

std::vector<std::string> names_of(const json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items())
        names.push_back(name);
    return names;
}

} // namespace

TEST_CASE("a supervisor says which it is and what it speaks") {
    CHECK(describe_supervisor() ==
          json{{"ok", true}, {"protocol", 1}, {"version", LIVESOCK_VERSION}, {"pid", ::getpid()}});
}

TEST_CASE("status tells of the supervisor what it was told") {
    Controlled controlled;
    controlled.host.told = {
        .directory = "/run/l",
        .agent_socket = "/run/l/agent.sock",
        .config = "/etc/l.toml",
        .is_config_changed = true,
        .log_file = "/run/l/log",
        .started = Clock::now() - 1500ms,
        .clients = 3,
        .answered = 20,
        .failed = 4,
        .signing = {{.name = "box",
                     .listen = "127.0.0.1:7221",
                     .namespaces = {"git"},
                     .token_file = "/t",
                     .answered = 5,
                     .refused = 2,
                     .signatures = 4}},
        .listeners = {{"127.0.0.1:7222", "agent", ""}, {"vsock 2:1", "agent", "why"}}};
    json status = status_of(controlled);
    const double uptime = status["uptime_seconds"];
    CHECK(uptime >= 1.5);
    CHECK(uptime < 1.5 + 60);
    CHECK(uptime * 1000 == doctest::Approx(std::round(uptime * 1000)));
    status.erase("uptime_seconds");
    json expected = describe_supervisor();
    expected.update({{"directory", "/run/l"},
                     {"agent_socket", "/run/l/agent.sock"},
                     {"config", "/etc/l.toml"},
                     {"config_changed", true},
                     {"log", {{"to", "file"}, {"path", "/run/l/log"}}},
                     {"live", nullptr},
                     {"pinned", nullptr},
                     {"policy", "newest"},
                     {"listeners",
                      {{{"name", "127.0.0.1:7222"}, {"kind", "agent"}, {"reason", nullptr}},
                       {{"name", "vsock 2:1"}, {"kind", "agent"}, {"reason", "why"}}}},
                     {"clients", 3},
                     {"requests", {{"answered", 20}, {"failed", 4}}},
                     {"agents", json::array()},
                     {"stand_ins", json::array()},
                     {"signing",
                      {{{"name", "box"},
                        {"listen", "127.0.0.1:7221"},
                        {"problem", nullptr},
                        {"namespaces", {"git"}},
                        {"keys", json::array()},
                        {"hosts", json::array()},
                        {"token_file", "/t"},
                        {"requires_token", false},
                        {"public_key", nullptr},
                        {"requests", {{"answered", 5}, {"refused", 2}}},
                        {"signatures", 4}}}}});
    CHECK(status == expected);
}

TEST_CASE("status has null where there is no file") {
    Controlled controlled;
    const json status = status_of(controlled);
    CHECK(status["config"] == nullptr);
    CHECK(status["log"] == json{{"to", "stderr"}, {"path", nullptr}});
}

TEST_CASE("an agent that is live is described with all that is known of it") {
    Controlled controlled;
    const FakeAgent& agent = controlled.add_live('a');
    const json status = status_of(controlled);
    CHECK(status["live"] == agent.path());
    REQUIRE(status["agents"].size() == 1);
    json described = status["agents"][0];
    CHECK(described["round_trip_ms"].is_number());
    CHECK(described["round_trip_ms"] > 0);
    CHECK(described["round_trip_ms"] < 10'000);
    CHECK(described["last_answer_seconds"].is_number());
    CHECK(described["last_answer_seconds"] >= 0);
    CHECK(described["last_answer_seconds"] < 60);
    described.erase("round_trip_ms");
    described.erase("last_answer_seconds");
    CHECK(described["round_trips_ms"].size() >= 1);
    described.erase("round_trips_ms");
    CHECK(described == json{{"path", agent.path()},
                            {"state", "live"},
                            {"selected", true},
                            {"pinned", false},
                            {"origin", "configured"},
                            {"label", controlled.pool.find(agent.path())->label()},
                            {"client_address", nullptr},
                            {"client_name", nullptr},
                            {"client_port", nullptr},
                            {"tty", nullptr},
                            {"pid", ::getpid()},
                            {"since", Controlled::born_of(1)},
                            {"keys", 1},
                            {"fingerprints", {fingerprint(make_blob('a'))}},
                            {"unanswered_seconds", nullptr},
                            {"reason", nullptr},
                            {"users", json::array()},
                            {"user_count", 0}});
}

TEST_CASE("an agent that has not answered has nothing but its name") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.is_silent = true;
    controlled.add(agent, Origin::registered);
    const json status = status_of(controlled);
    CHECK(status["live"] == nullptr);
    const json described = status["agents"][0];
    CHECK(described["state"] == "new");
    CHECK(described["selected"] == false);
    CHECK(described["origin"] == "registered");
    for (const char* const unknown : {"round_trip_ms", "keys", "last_answer_seconds"})
        CHECK(described[unknown] == nullptr);
    CHECK(described["fingerprints"] == json::array());
    CHECK(described["reason"] == "it has not answered yet");
    CHECK(described["unanswered_seconds"].is_number());
    controlled.add_live('b');
    CHECK(names_of(status_of(controlled)["agents"][0]) == names_of(described));
}

TEST_CASE("an agent without keys has none, which is not null") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.keys.clear();
    controlled.add(agent);
    REQUIRE(controlled.becomes(agent, AgentState::live));
    const json described = status_of(controlled)["agents"][0];
    CHECK(described["keys"] == 0);
    CHECK(described["fingerprints"] == json::array());
}

TEST_CASE("an agent that is not live says why") {
    Controlled controlled({.interval = 5ms, .timeout = 10ms, .hung_after = 20ms});
    FakeAgent& agent = controlled.make_agent('a');
    const std::string silence = "it does not answer: is its client asleep, or its network gone?";
    SUBCASE("late: requests go there, but it is not told to be live") {
        controlled.pool.apply({.interval = 5ms, .timeout = 10ms, .hung_after = 1h});
        controlled.add(agent);
        REQUIRE(controlled.becomes(agent, AgentState::live));
        agent.is_silent = true;
        REQUIRE(controlled.becomes(agent, AgentState::late));
        const json status = status_of(controlled);
        CHECK(status["live"] == nullptr);
        CHECK(status["agents"][0]["state"] == "late");
        CHECK(status["agents"][0]["selected"] == true);
        CHECK(status["agents"][0]["reason"] == silence);
        CHECK(status["agents"][0]["keys"] == 1);
    }
    SUBCASE("hung") {
        agent.is_silent = true;
        controlled.add(agent);
        REQUIRE(controlled.becomes(agent, AgentState::hung));
        const json described = status_of(controlled)["agents"][0];
        CHECK(described["state"] == "hung");
        CHECK(described["selected"] == false);
        CHECK(described["reason"] == silence);
    }
    SUBCASE("dead") {
        agent.hangs_up_at_once = true;
        controlled.add(agent);
        REQUIRE(controlled.becomes(agent, AgentState::dead));
        const json described = status_of(controlled)["agents"][0];
        CHECK(described["state"] == "dead");
        CHECK(described["reason"] == controlled.pool.find(agent.path())->reason());
        CHECK(described["reason"] != nullptr);
    }
}

TEST_CASE("the selected agent comes first, then the live ones, the newest first of each") {
    Controlled controlled;
    const auto add_silent = [&](char fill) -> FakeAgent& {
        FakeAgent& agent = controlled.make_agent(fill);
        agent.is_silent = true;
        controlled.add(agent);
        return agent;
    };
    const std::string a = controlled.add_live('a').path();
    const std::string b = controlled.add_live('b').path();
    const std::string c = add_silent('c').path();
    const std::string d = controlled.add_live('d').path();
    const std::string e = add_silent('e').path();
    CHECK(paths_in(status_of(controlled)) == std::vector{d, b, a, e, c});

    REQUIRE(controlled.pool.pin(a));
    const json status = status_of(controlled);
    CHECK(paths_in(status) == std::vector{a, d, b, e, c});
    CHECK(status["pinned"] == a);
    CHECK(status["live"] == a);
    for (const json& agent : status["agents"])
        CHECK(agent["selected"] == (agent["path"] == a));
}

TEST_CASE("an agent has its clients named, a process once, and what they wait for") {
    Controlled controlled;
    const FakeAgent& agent = controlled.add_live('a');
    const std::uint64_t id = controlled.pool.find(agent.path())->id();
    controlled.host.used = {
        {.pid = ::getpid(), .agent = id, .request = RequestKind::sign, .since = Clock::now() - 3s},
        {.pid = ::getpid(), .agent = id, .request = std::nullopt, .since = {}},
        {.pid = ::getppid(), .agent = id, .request = std::nullopt, .since = {}},
        {.pid = 1, .agent = id + 1, .request = std::nullopt, .since = {}}};
    const json described = status_of(controlled)["agents"][0];
    CHECK(described["user_count"] == 2);
    REQUIRE(described["users"].size() == 2);
    CHECK(described["users"][0]["pid"] == ::getpid());
    CHECK(described["users"][0]["program"] == "unit-control");
    CHECK(described["users"][0]["request"] == "sign");
    CHECK(described["users"][0]["seconds"] >= 3);
    CHECK(described["users"][1]["request"] == nullptr);
    CHECK(described["users"][1]["seconds"] == nullptr);
    for (pid_t pid = 10'000; pid < 10'020; ++pid)
        controlled.host.used.push_back({.pid = pid, .agent = id, .request = {}, .since = {}});
    const json crowded = status_of(controlled)["agents"][0];
    CHECK(crowded["user_count"] == 22);
    CHECK(crowded["users"].size() == 8);
}

TEST_CASE("the identities are those of the selected agent, in its order") {
    Controlled controlled;
    controlled.add_live('a');
    FakeAgent& agent = controlled.make_agent('b');
    agent.keys = {{make_blob('z'), "first"}, {"no blob", ""}, {make_blob('b'), "a \"b\"\n"}};
    controlled.add(agent);
    REQUIRE(controlled.becomes(agent, AgentState::live));
    const std::string label = controlled.pool.find(agent.path())->label();
    const auto identity = [&](const Identity& key, const char* type) -> json {
        return {{"fingerprint", fingerprint(key.blob)},
                {"type", type},
                {"comment", key.comment},
                {"agent", agent.path()},
                {"label", label}};
    };
    CHECK(describe_identities(controlled.pool) ==
          json{{"ok", true},
               {"agent", agent.path()},
               {"unanswered_seconds", nullptr},
               {"identities",
                {identity(agent.keys[0], "ssh-ed25519"), identity(agent.keys[1], ""),
                 identity(agent.keys[2], "ssh-ed25519")}}});
}

TEST_CASE("without a selected agent there are no identities") {
    Controlled controlled;
    CHECK(describe_identities(controlled.pool) == json{{"ok", true},
                                                       {"agent", nullptr},
                                                       {"unanswered_seconds", nullptr},
                                                       {"identities", json::array()}});
}

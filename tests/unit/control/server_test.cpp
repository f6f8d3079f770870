#include "supervisor/control/server.hpp"

#include "supervisor/control/status.hpp"
#include "tests/unit/control/controlled.hpp"

using namespace livesock;
using nlohmann::json;

namespace {

bool is_refused(const json& answer, const std::string& code) {
    return answer.value("ok", true) == false && answer.value("code", "") == code &&
           !answer.value("error", "").empty();
}

} // namespace

TEST_CASE("ping is answered with who is there") {
    Controlled controlled;
    const json answer = controlled.ask({{"command", "ping"}});
    CHECK(answer == json{{"ok", true},
                         {"protocol", control_protocol_version},
                         {"version", LIVESOCK_VERSION},
                         {"pid", ::getpid()}});
}

TEST_CASE("several requests over one connection are answered in order") {
    Controlled controlled;
    controlled.add_live('a');
    FarEnd client = controlled.connect();
    CHECK(client.send("{\"command\":\"list\"}\n{\"command\":\"ping\"}\n{\"command\":\"no\"}\n") >
          0);
    const auto lines = [&] {
        const std::string& received = client.received();
        return std::count(received.begin(), received.end(), '\n');
    };
    REQUIRE(run_until(controlled.loop, [&] { return lines() == 3; }));
    std::istringstream answers(client.take());
    std::vector<json> parsed;
    for (std::string line; std::getline(answers, line);)
        parsed.push_back(json::parse(line));
    CHECK(parsed.at(0).contains("identities"));
    CHECK(parsed.at(1).contains("protocol"));
    CHECK(is_refused(parsed.at(2), "unknown_command"));
    CHECK(!client.at_end());
}

TEST_CASE("status and list tell what the agents say now") {
    Controlled controlled;
    FakeAgent& agent = controlled.add_live('a');
    controlled.host.told.directory = "/run/here";
    agent.keys.push_back({make_blob('b'), "new"});

    const json status = controlled.ask({{"command", "status"}});
    CHECK(status["ok"] == true);
    CHECK(status["directory"] == "/run/here");
    CHECK(status["live"] == agent.path());
    REQUIRE(status["agents"].size() == 1);
    CHECK(status["agents"][0]["keys"] == 2);

    agent.keys.erase(agent.keys.begin());
    const json list = controlled.ask({{"command", "list"}});
    CHECK(list["ok"] == true);
    CHECK(list["agent"] == agent.path());
    REQUIRE(list["identities"].size() == 1);
    CHECK(list["identities"][0]["comment"] == "new");
}

TEST_CASE("status and list do not wait for ever for an agent that is silent") {
    Controlled controlled;
    FakeAgent& agent = controlled.add_live('a');
    agent.is_silent = true;
    std::string command;
    SUBCASE("status") {
        command = "status";
    }
    SUBCASE("list") {
        command = "list";
    }
    const auto silence_of = [&](const json& answer) {
        const json& owner = command == "status" ? answer["agents"][0] : answer;
        REQUIRE(owner["unanswered_seconds"].is_number());
        return owner["unanswered_seconds"].get<double>();
    };
    const TimePoint asked = Clock::now();
    const double first = silence_of(controlled.ask({{"command", command}}));
    CHECK(Clock::now() - asked >= std::chrono::milliseconds(250));
    CHECK(first >= 0.25);
    // The question of before stays: no other is asked, and its age is counted from then.
    CHECK(silence_of(controlled.ask({{"command", command}})) >= first + 0.25);
    CHECK(agent.requests.size() == 2);
}

TEST_CASE("an answer may hold what is not valid UTF-8") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.keys = {{make_blob('a'), "caf\xe9"}};
    controlled.add(agent);
    REQUIRE(controlled.becomes(agent, AgentState::live));
    CHECK(controlled.ask({{"command", "list"}})["identities"][0]["comment"] == "caf\xef\xbf\xbd");
}

TEST_CASE("register makes an agent known") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    const std::string link = controlled.temp.entry("link");
    std::filesystem::create_symlink(agent.path(), link);
    CHECK(controlled.ask({{"command", "register"}, {"path", link}}) ==
          json{{"ok", true}, {"path", agent.path()}, {"state", "new"}});
    REQUIRE(controlled.becomes(agent, AgentState::live));
    CHECK(controlled.pool.find(agent.path())->origin() == Origin::registered);
    CHECK(controlled.ask({{"command", "register"}, {"path", agent.path()}})["state"] == "live");
}

TEST_CASE("register refuses what is no absolute path of an agent") {
    Controlled controlled;
    json request{{"command", "register"}};
    SUBCASE("nothing") {}
    SUBCASE("no string") {
        request["path"] = 5;
    }
    SUBCASE("an empty path") {
        request["path"] = "";
    }
    SUBCASE("a relative path") {
        request["path"] = "agent.a";
    }
    SUBCASE("a path that is unknown") {
        request["path"] = controlled.temp.entry("none");
    }
    SUBCASE("a file") {
        request["path"] = controlled.temp.write("file", "");
    }
    CHECK(is_refused(controlled.ask(request), "refused"));
    CHECK(controlled.pool.candidates().empty());
}

TEST_CASE("register says what it takes, or why the path is refused") {
    Controlled controlled;
    CHECK(controlled.ask({{"command", "register"}, {"path", "agent"}})["error"] ==
          "register takes the absolute path of an agent socket");
    const std::string none = controlled.temp.entry("none");
    const std::string error = controlled.ask({{"command", "register"}, {"path", none}})["error"];
    CHECK(error.find(none) != std::string::npos);
}

TEST_CASE("use has an agent preferred, until auto ends that") {
    Controlled controlled;
    FakeAgent& older = controlled.add_live('a');
    FakeAgent& newer = controlled.add_live('b');
    const std::string label = controlled.pool.find(older.path())->label();
    CHECK(controlled.ask({{"command", "use"}, {"agent", older.path()}}) ==
          json{{"ok", true},
               {"chosen", older.path()},
               {"label", label},
               {"pinned", older.path()},
               {"by", "path"},
               {"among", {label}}});
    CHECK(controlled.pool.selected()->path() == older.path());

    SUBCASE("what is unknown changes nothing") {
        CHECK(is_refused(controlled.ask({{"command", "use"}, {"agent", "nobody"}}), "not_found"));
        CHECK(is_refused(controlled.ask({{"command", "use"}, {"agent", ""}}), "not_found"));
        CHECK(is_refused(controlled.ask({{"command", "use"}, {"agent", 1}}), "not_found"));
        CHECK(is_refused(controlled.ask({{"command", "use"}}), "not_found"));
        CHECK(controlled.pool.pinned().word == older.path());
    }
    SUBCASE("auto") {
        CHECK(controlled.ask({{"command", "use"}, {"agent", "auto"}}) ==
              json{{"ok", true},
                   {"chosen", newer.path()},
                   {"label", label},
                   {"pinned", nullptr},
                   {"by", nullptr},
                   {"among", json::array()}});
        CHECK(controlled.pool.pinned() == Pin{});
    }
}

TEST_CASE("a name that several agents have is used, and told to be one of several") {
    Controlled controlled;
    controlled.add_live('a');
    FakeAgent& newer = controlled.add_live('b');
    const std::string label = controlled.pool.find(newer.path())->label();
    const json answer = controlled.ask({{"command", "use"}, {"agent", label}});
    CHECK(answer["chosen"] == newer.path());
    CHECK(answer["by"] == "label");
    CHECK(answer["among"] == json{label, label});
}

TEST_CASE("use says that there is no agent to go to") {
    Controlled controlled;
    CHECK(controlled.ask({{"command", "use"}, {"agent", "auto"}}) ==
          json{{"ok", true},
               {"chosen", nullptr},
               {"label", nullptr},
               {"pinned", nullptr},
               {"by", nullptr},
               {"among", json::array()}});
}

TEST_CASE("reload reads the configuration again, or says what is wrong with it") {
    Controlled controlled;
    CHECK(controlled.ask({{"command", "reload"}}) == json{{"ok", true}});
    CHECK(controlled.host.reloads == 1);
    controlled.host.config_problem = "line 3: what is this?";
    CHECK(controlled.ask({{"command", "reload"}}) ==
          json{{"ok", false}, {"code", "bad_config"}, {"error", "line 3: what is this?"}});
    CHECK(controlled.host.reloads == 2);
}

TEST_CASE("stop is answered, and stops the supervisor once") {
    Controlled controlled;
    CHECK(controlled.ask({{"command", "stop"}}) == json{{"ok", true}, {"pid", ::getpid()}});
    CHECK(controlled.host.stops == 1);
}

TEST_CASE("an unknown command is refused by its name, and the connection goes on") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    const json answer = controlled.ask(client, {{"command", "fly\n" + std::string(100, 'x')}});
    CHECK(is_refused(answer, "unknown_command"));
    const std::string error = answer["error"];
    CHECK(error.find("fly") != std::string::npos);
    CHECK(error.find('\n') == std::string::npos);
    CHECK(error.size() < 100);
    for (const json& request : {json::object(), json{{"command", 5}}, json{{"Command", "ping"}}})
        CHECK(is_refused(controlled.ask(client, request), "unknown_command"));
    CHECK(controlled.ask(client, {{"command", "ping"}})["ok"] == true);
}

TEST_CASE("what is no JSON object is malformed, and ends the connection") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    std::string text;
    SUBCASE("no JSON") {
        text = "ping\n";
    }
    SUBCASE("nothing") {
        text = "\n";
    }
    SUBCASE("more than one value") {
        text = "{} {}\n";
    }
    SUBCASE("an object that is not whole") {
        text = "{\"command\":\"ping\"\n";
    }
    SUBCASE("no object") {
        text = "[\"ping\"]\n";
    }
    SUBCASE("null") {
        text = "null\n";
    }
    SUBCASE("no UTF-8") {
        text = "{\"command\":\"\xff\"}\n";
    }
    SUBCASE("a number that is none") {
        text = "{\"command\":\"wait\",\"timeout_ms\":1e999}\n";
    }
    SUBCASE("depth") {
        text = std::string(60'000, '[') + "\n";
    }
    SUBCASE("a line that is too long") {
        text = std::string(longest_control_line + 1, ' ');
    }
    CHECK(is_refused(controlled.ask_in_bytes(client, text), "malformed"));
    CHECK(run_until(controlled.loop, [&] { return client.at_end(); }));
    CHECK(controlled.ask({{"command", "ping"}})["ok"] == true);
}

TEST_CASE("heal tells of every path that was named, and takes nothing but paths") {
    Controlled controlled;
    const std::string path = controlled.temp.entry("ssh-X/agent.1");
    const json answer = controlled.ask({{"command", "heal"}, {"paths", {path, "/elsewhere"}}});
    REQUIRE(answer["ok"] == true);
    REQUIRE(answer["paths"].size() == 2);
    CHECK(answer["paths"][0]["path"] == path);
    CHECK(answer["paths"][0]["result"] == "unchanged");
    CHECK(answer["paths"][1]["result"] == "refused");
    for (const json& wrong : {json("x"), json(7), json(nullptr), json({path, 1}), json::object()})
        CHECK(controlled.ask({{"command", "heal"}, {"paths", wrong}})["code"] == "refused");
}

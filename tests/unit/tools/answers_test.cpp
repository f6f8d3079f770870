#include "tools/answers.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

ControlAnswer answer(const char* text) {
    ControlAnswer made;
    made.ok = true;
    made.text = text;
    return made;
}

} // namespace

TEST_CASE("a status is read") {
    const StatusReport report = read_status(answer(
        R"({"ok":true,"pid":7,"uptime_seconds":5,"agent_socket":"/d/agent.sock","live":"/a",
            "config":"/c","config_changed":true,
            "pinned":null,"policy":"active-client","clients":3,"requests":{"answered":4,"failed":1},
            "log":{"to":"file","path":"/d/log"},
            "agents":[{"path":"/a","state":"live","selected":true,"origin":"forwarded",
                       "label":"x on pts/1","since":9,"round_trip_ms":1.5,"keys":2,"reason":null},
                      {"path":"/b","state":"dead","origin":"registered","reason":"gone"}]})"));
    CHECK(report.pid == 7);
    CHECK(report.live == "/a");
    CHECK(report.config == "/c");
    CHECK(report.is_config_changed);
    CHECK(!report.pinned);
    CHECK(report.follows_typing);
    CHECK(report.answered == 4);
    CHECK(report.failed == 1);
    CHECK(report.logs_to_file);
    CHECK(report.log_path == "/d/log");
    REQUIRE(report.agents.size() == 2);
    CHECK(report.agents[0].selected);
    CHECK(report.agents[0].forwarded);
    CHECK(report.agents[0].round_trip_ms == 1.5);
    CHECK(report.agents[0].keys == 2);
    CHECK(!report.agents[0].reason);
    CHECK(!report.agents[1].forwarded);
    CHECK(report.agents[1].label == "/b");
    CHECK(report.agents[1].reason == "gone");
}

TEST_CASE("members that are missing or of another type read as empty") {
    for (const char* text : {"{}", R"({"pid":"x","live":5,"agents":{},"requests":[],"log":null})",
                             R"({"agents":7})", R"({"agents":null,"identities":"x"})"}) {
        const StatusReport report = read_status(answer(text));
        CHECK(report.pid == 0);
        CHECK(!report.live);
        CHECK(report.agents.empty());
        CHECK(read_identities(answer(text)).empty());
    }
    CHECK(read_status(answer(R"({"agents":[5,null,{"state":1,"keys":"2"}]})")).agents.size() == 3);
}

TEST_CASE("JSON is printed in the supervisor's order, and drives no terminal") {
    CHECK(pretty(answer("{\"z\":1,\"a\":\"\x7f\xc2\x9b\",\"e\":[]}")) ==
          "{\n  \"z\": 1,\n  \"a\": \"\\u007f\\u009b\",\n  \"e\": []\n}\n");
}

TEST_CASE("single members are read") {
    CHECK(text_member(answer(R"({"label":"x"})"), "label") == "x");
    CHECK(!text_member(answer(R"({"label":null})"), "label"));
    CHECK(number_member(answer(R"({"pid":5})"), "pid") == 5);
    CHECK(number_member(answer(R"({"pid":5.75})"), "pid") == 5);
    for (const char* text : {R"({"pid":"5"})", R"({"pid":1e300})", R"({"pid":-1e19})"})
        CHECK_MESSAGE(!number_member(answer(text), "pid"), text);
}

TEST_CASE("failures are read") {
    const auto failures = read_failures(answer(
        R"({"ok":true,"failures":[{"time":9,"request":"sign","pid":5,"program":"ssh",
            "command":"git","directory":"/x","pane":"%3","waited_seconds":1.5,"cause":"why",
            "attempts":[{"path":"/a","label":"a","state":"hung","outcome":"o","seconds":1}]},
           {"pid":null,"program":null,"attempts":[7]},8]})"));
    REQUIRE(failures.size() == 3);
    CHECK(failures[0].time == 9);
    CHECK(failures[0].request == "sign");
    CHECK(failures[0].client == ClientReport{5, "ssh", "git", "/x", "%3"});
    CHECK(failures[0].waited_seconds == 1.5);
    CHECK(failures[0].cause == "why");
    REQUIRE(failures[0].attempts.size() == 1);
    CHECK(failures[0].attempts[0] == FailureReport::Attempt{"/a", "a", "hung", "o"});
    CHECK(failures[1].client == ClientReport{});
    CHECK(failures[1].attempts.size() == 1);
    CHECK(failures[2].cause.empty());
}

#include "tests/unit/broker/hosted.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/public_key.hpp"
#include "supervisor/broker/text_forms.hpp"

#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::string text_of(const json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> comments(const json& list) {
    std::vector<std::string> all;
    for (const json& key : list.at("keys"))
        all.push_back(key["comment"]);
    return all;
}

const std::vector<std::string> both = {"alice", "bob"};
const std::vector<std::string> alice_alone = {"alice"};

} // namespace

TEST_CASE("each operation has its answer") {
    Hosted hosted;
    CHECK(hosted.ask(Operation::ping) == json{{"status", "ok"}});
    CHECK(comments(hosted.ask(Operation::list)) == both);
    CHECK(hosted.ask(Operation::status) ==
          json{{"connected", true}, {"mode", "agent-forward"}, {"key_count", 2}});
    CHECK(hosted.ask(hosted.sign_request(hosted.alice)) ==
          json{{"format", "ssh-ed25519"},
               {"blob", to_base64(hosted.agent.path())},
               {"rest", to_base64("\x01")}});
    CHECK(hosted.agent.count(sign_request_frame(hosted.alice.blob, "data", 4)) == 1);
}

TEST_CASE("a guest has the keys that are named for it, and does not learn of others") {
    for (const bool needs_keys : {false, true}) {
        CAPTURE(needs_keys);
        Hosted hosted;
        hosted.guest.keys = {fingerprint(hosted.alice.blob)};
        CHECK(comments(hosted.ask(Operation::list, needs_keys)) == alice_alone);
        CHECK(hosted.ask(Operation::status, needs_keys)["key_count"] == 1);
        CHECK(hosted.ask(hosted.sign_request(hosted.alice), needs_keys).contains("blob"));
        const json there = hosted.ask(hosted.sign_request(hosted.bob), needs_keys);
        const json nowhere = hosted.ask(hosted.sign_request({make_blob('z'), "zoe"}), needs_keys);
        CHECK(text_of(there, "code") == "KEY_NOT_FOUND");
        CHECK(there == nowhere);
        CHECK(hosted.signs() == 1);
    }
}

TEST_CASE("a guest whom others can be gets nothing but a ping before keys are named") {
    Hosted hosted;
    CHECK(hosted.ask(Operation::ping, true) == json{{"status", "ok"}});
    for (const Operation operation : {Operation::list, Operation::status})
        CHECK(text_of(hosted.ask(operation, true), "code") == "INTERNAL_ERROR");
    CHECK(text_of(hosted.ask(hosted.sign_request(hosted.alice), true), "code") == "SIGN_FAILED");
    CHECK(hosted.agent.requests.empty());
    CHECK(hosted.audit().back()["result"] == "denied");
}

TEST_CASE("a key that the agent does not have signs nothing") {
    Hosted hosted;
    const json answer = hosted.ask(hosted.sign_request({make_blob('z'), "zoe"}));
    CHECK(text_of(answer, "code") == "KEY_NOT_FOUND");
    CHECK(hosted.signs() == 0);
    CHECK(hosted.audit().back()["result"] == "error");
}

TEST_CASE("who signs is the live agent, else the keys of this machine, or what is said") {
    Hosted hosted;
    std::string mode = "agent-forward";
    SUBCASE("by itself") {}
    SUBCASE("by itself, without a live agent") {
        hosted.is_live = false;
        mode = "local-keys";
    }
    SUBCASE("the agent, live or not") {
        hosted.settings.mode = BackendMode::agent_forward;
        hosted.is_live = false;
    }
    SUBCASE("the keys of this machine, though an agent is live") {
        hosted.settings.mode = BackendMode::local_keys;
        mode = "local-keys";
    }
    hosted.apply();
    CHECK(hosted.ask(Operation::status)["mode"] == mode);
    const bool is_local = mode == "local-keys";
    CHECK(hosted.private_agent.requests.size() == (is_local ? 1 : 0));
    CHECK(hosted.agent.requests.size() == (is_local ? 0 : 1));
}

TEST_CASE("the keys of this machine are waited for while they are being loaded") {
    Hosted hosted;
    hosted.settings.mode = BackendMode::local_keys;
    hosted.apply();
    SUBCASE("and come") {
        hosted.local->failures = 2;
        CHECK(comments(hosted.ask(Operation::list)) == std::vector<std::string>{"bob"});
    }
    SUBCASE("but not for longer than a list may take") {
        hosted.local->failures = 1000;
        hosted.list_limit = 1ms;
        CHECK(text_of(hosted.ask(Operation::list), "code") == "INTERNAL_ERROR");
        CHECK(hosted.local->failures > 900);
    }
    SUBCASE("nor where they cannot be had") {
        hosted.local->failures = 1;
        hosted.local->code = ECONNREFUSED;
        CHECK(text_of(hosted.ask(Operation::list), "code") == "INTERNAL_ERROR");
        CHECK(hosted.local->failures == 0);
    }
}

TEST_CASE("an agent that lists nothing usable fails that request alone") {
    Hosted hosted;
    const auto usual = hosted.agent.answer;
    SUBCASE("it refuses") {
        hosted.agent.answer = [](const FakeAgent::Request&) {
            return std::optional(failure_frame());
        };
    }
    SUBCASE("it answers something else") {
        hosted.agent.answer = [](const FakeAgent::Request&) {
            return std::optional(make_frame(MessageType::identities_answer, "nonsense"));
        };
    }
    SUBCASE("it hangs up") {
        hosted.agent.answer = nullptr;
        hosted.agent.hangs_up_on_requests = true;
    }
    SUBCASE("it does not answer in time") {
        hosted.agent.answer = [](const FakeAgent::Request&) {
            return std::optional<std::string>();
        };
        hosted.list_limit = 1ms;
    }
    const json answer = hosted.ask(Operation::list);
    CHECK(text_of(answer, "code") == "INTERNAL_ERROR");
    CHECK_FALSE(text_of(answer, "error").empty());
    CHECK(hosted.audit().back()["result"] == "error");
    CHECK(hosted.audit().back()["reason"] == text_of(answer, "error"));
    hosted.agent.answer = usual;
    CHECK(comments(hosted.ask(Operation::list)) == both);
}

TEST_CASE("a signature that does not come, or is none, fails that request alone") {
    Hosted hosted;
    SUBCASE("the agent refuses") {
        hosted.sign_with(failure_frame());
    }
    SUBCASE("it is none") {
        hosted.sign_with(
            make_frame(MessageType::sign_response, WireWriter().string("nonsense").bytes()));
    }
    SUBCASE("it is another message") {
        hosted.sign_with(identities_answer({}));
    }
    SUBCASE("it does not come in time") {
        hosted.sign_with({});
        hosted.sign_limit = 1ms;
    }
    CHECK(text_of(hosted.ask(hosted.sign_request(hosted.alice)), "code") == "SIGN_FAILED");
    CHECK(hosted.audit().back()["result"] == "error");
    CHECK(comments(hosted.ask(Operation::list)) == both);
}

TEST_CASE("a guest has its rate, which is nobody else's") {
    Hosted hosted;
    hosted.guest.rate = 3;
    for (int i = 0; i < 3; ++i)
        CHECK(hosted.ask(Operation::ping) == json{{"status", "ok"}});
    CHECK(text_of(hosted.ask(Operation::ping), "error") == "more than 3 requests a minute");
    CHECK(text_of(hosted.ask(hosted.sign_request(hosted.alice)), "code") == "SIGN_FAILED");
    CHECK(hosted.signs() == 0);
    CHECK(hosted.audit().back()["result"] == "denied");
    hosted.guest.name = "other";
    CHECK(hosted.ask(Operation::ping) == json{{"status", "ok"}});
    hosted.guest.name = "vm";
    hosted.apply(); // the configuration was read
    CHECK(hosted.ask(Operation::ping) == json{{"status", "ok"}});
}

TEST_CASE("a guest has so many requests under way at once, and no more") {
    Hosted hosted;
    hosted.agent.answer = [](const FakeAgent::Request&) { return std::optional<std::string>(); };
    const auto nothing = [](const std::string&) {};
    for (std::size_t i = 0; i < most_guest_jobs; ++i)
        hosted.host->handle(hosted.guest, false, {.operation = Operation::list}, nothing);
    CHECK(text_of(hosted.ask(Operation::list), "error") == "too many requests are under way");
    hosted.guest.name = "other";
    CHECK(hosted.ask(Operation::ping) == json{{"status", "ok"}});
    CHECK(run_until(hosted.loop, [&] { return hosted.host->jobs() == most_guest_jobs; }));
}

TEST_CASE("what floods us does not push everything else out of the audit") {
    Hosted hosted;
    hosted.guest.rate = 1;
    for (int i = 0; i < 200; ++i)
        hosted.ask(Operation::list);
    CHECK(hosted.audit().size() <= 1 + LineBudget::most_lines);
}

TEST_CASE("without an audit there is neither a list nor a signature") {
    Hosted hosted;
    REQUIRE(::chmod(hosted.temp.path().c_str(), 0755) == 0);
    const json answer = hosted.ask(hosted.sign_request(hosted.alice));
    CHECK(text_of(answer, "code") == "SIGN_FAILED");
    CHECK(text_of(answer, "error") == "the audit cannot be kept");
    CHECK(text_of(hosted.ask(Operation::list), "code") == "INTERNAL_ERROR");
    CHECK(hosted.agent.requests.empty());
    REQUIRE(::chmod(hosted.temp.path().c_str(), 0700) == 0);
    CHECK(hosted.ask(hosted.sign_request(hosted.alice)).contains("blob"));
}

TEST_CASE("a signature that cannot be written down is not given away") {
    Hosted hosted;
    hosted.agent.answer = [&](const FakeAgent::Request& request) {
        if (kind_of(Message(request.frame)) == RequestKind::sign)
            ::chmod(hosted.temp.path().c_str(), 0755);
        std::filesystem::remove(hosted.audit_path);
        return Hosted::usual_answer(hosted.agent, request);
    };
    const json answer = hosted.ask(hosted.sign_request(hosted.alice));
    CHECK(hosted.signs() == 1);
    CHECK(text_of(answer, "code") == "SIGN_FAILED");
    CHECK_FALSE(answer.contains("blob"));
}

TEST_CASE("every request but a ping is written down, with what became of it") {
    Hosted hosted;
    hosted.guest.keys = {fingerprint(hosted.alice.blob)};
    hosted.ask(Operation::ping);
    hosted.ask(Operation::list);
    hosted.ask(hosted.sign_request(hosted.alice));
    hosted.ask(hosted.sign_request(hosted.bob));
    const std::vector<json> lines = hosted.audit();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0]["operation"] == "list");
    CHECK(lines[0]["guest"] == "vm");
    CHECK(lines[0]["key"] == nullptr);
    CHECK(lines[0]["approval"] == nullptr);
    CHECK(lines[1]["result"] == "ok");
    CHECK(lines[1]["key"] == fingerprint(hosted.alice.blob));
    CHECK(lines[1]["approval"] == "none");
    CHECK(lines[2]["result"] == "denied");
    CHECK(lines[2]["key"] == fingerprint(hosted.bob.blob));
    CHECK(lines[2]["approval"] == nullptr);
}

TEST_CASE("who is asked decides about signatures, and about nothing else") {
    Hosted hosted;
    const std::string asked = hosted.temp.entry("asked");
    SUBCASE("yes") {
        hosted.ask_with("echo \"$@\" >>" + asked);
        CHECK(hosted.ask(hosted.sign_request(hosted.alice)).contains("blob"));
        CHECK(hosted.audit().back()["approval"] == "asked");
        CHECK(hosted.temp.read("asked") == "vm " + fingerprint(hosted.alice.blob) + "\n");
    }
    SUBCASE("no") {
        hosted.ask_with("exit 1");
        const json answer = hosted.ask(hosted.sign_request(hosted.alice));
        CHECK(text_of(answer, "code") == "SIGN_FAILED");
        CHECK(hosted.signs() == 0);
        CHECK(hosted.audit().back()["result"] == "denied");
        CHECK(hosted.audit().back()["approval"] == "refused");
        CHECK(comments(hosted.ask(Operation::list)) == both);
    }
    SUBCASE("nobody is asked for a key that the guest cannot have") {
        hosted.ask_with("echo x >>" + asked);
        hosted.guest.keys = {fingerprint(hosted.alice.blob)};
        hosted.ask(hosted.sign_request(hosted.bob));
        hosted.ask(Operation::list);
        hosted.agent.keys.clear();
        hosted.ask(hosted.sign_request(hosted.alice));
        CHECK(hosted.temp.read("asked").empty());
    }
}

TEST_CASE("where nobody waits for the answer any more, nothing is signed") {
    Hosted hosted;
    hosted.ask_with("exec sleep 1000");
    bool was_answered = false;
    const Host::Id id = hosted.host->handle(hosted.guest, false, hosted.sign_request(hosted.alice),
                                            [&](const std::string&) { was_answered = true; });
    REQUIRE(run_until(hosted.loop, [&] { return hosted.children.count() == 1; }));
    hosted.host->cancel(id);
    CHECK(run_until(hosted.loop, [&] { return hosted.children.count() == 0; }));
    CHECK(run_until(hosted.loop, [&] { return hosted.host->jobs() == 0; }));
    CHECK_FALSE(was_answered);
    CHECK(hosted.signs() == 0);
    CHECK(hosted.audit().back()["result"] == "error");
}

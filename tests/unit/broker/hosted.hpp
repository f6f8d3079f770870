// A Host whose agents the test plays, with an audit in a private directory.
#pragma once

#include "supervisor/base/unix_socket.hpp"
#include "supervisor/broker/host.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace livesock {

/// The keys of ~/.ssh, as far as a Host sees them.
struct FakeLocalKeys final : Route {
    std::string path;
    int failures = 0; ///< so many connections fail before one is made
    int code = EAGAIN;

    explicit FakeLocalKeys(std::string where)
        : path(std::move(where)) {}
    Result<AgentConnection> connect() override {
        if (failures-- > 0)
            return Error{"not yet", code};
        Result<UniqueFd> fd = dial(path);
        return fd ? Result<AgentConnection>(AgentConnection{std::move(*fd), 0})
                  : Result<AgentConnection>(fd.error());
    }
    const std::string& socket() const override { return path; }
};

struct Hosted {
    using json = nlohmann::json;

    TempDir temp;
    EventLoop loop = make_loop();
    Children children{loop};
    Identity alice{make_blob('a'), "alice"};
    Identity bob{make_blob('b'), "bob"};
    FakeAgent agent{loop, temp.entry("agent"), {alice, bob}};
    FakeAgent private_agent{loop, temp.entry("private"), {bob}};
    FakeLocalKeys* local = nullptr; ///< the Host's
    bool is_live = true;
    Duration list_limit = std::chrono::hours(1);
    Duration sign_limit = std::chrono::hours(1);
    std::string audit_path = temp.entry("audit.jsonl");
    GuestSettings guest{.name = "vm", .keys = {}};
    BrokerSettings settings;
    std::unique_ptr<Host> host;

    Hosted() {
        auto keys = std::make_unique<FakeLocalKeys>(private_agent.path());
        local = keys.get();
        for (FakeAgent* const signer : {&agent, &private_agent})
            signer->answer = [signer](const FakeAgent::Request& request) {
                return usual_answer(*signer, request);
            };
        host = std::make_unique<Host>(loop, children,
                                      HostAgents{.live = [this] { return dial(agent.path()); },
                                                 .has_live = [this] { return is_live; },
                                                 .local = std::move(keys),
                                                 .list_limit = [this] { return list_limit; },
                                                 .sign_limit = [this] { return sign_limit; }},
                                      audit_path);
        apply();
    }
    void apply() const { host->apply(settings, audit_path); }

    /// A signature that names its agent, with what a security key has behind it.
    static std::optional<std::string> usual_answer(const FakeAgent& agent,
                                                   const FakeAgent::Request& request) {
        const RequestKind kind = kind_of(Message(request.frame));
        if (kind == RequestKind::list)
            return identities_answer(agent.keys);
        if (kind != RequestKind::sign)
            return failure_frame();
        const std::string signature =
            WireWriter().string("ssh-ed25519").string(agent.path()).bytes() + '\x01';
        return make_frame(MessageType::sign_response, WireWriter().string(signature).bytes());
    }
    /// Has the agent answer sign requests with `frame`; an empty one stands for silence.
    void sign_with(const std::string& frame) {
        agent.answer = [this, frame](const FakeAgent::Request& request) {
            if (kind_of(Message(request.frame)) != RequestKind::sign)
                return usual_answer(agent, request);
            return frame.empty() ? std::optional<std::string>() : std::optional(frame);
        };
    }
    std::size_t signs() const {
        return static_cast<std::size_t>(
            std::count_if(agent.requests.begin(), agent.requests.end(), [](const auto& request) {
                return kind_of(Message(request.frame)) == RequestKind::sign;
            }));
    }

    GuestRequest sign_request(const Identity& key) const {
        return {.operation = Operation::sign, .key = key.blob, .data = "data", .flags = 4};
    }
    json ask(const GuestRequest& request, bool needs_keys = false) {
        std::optional<std::string> answer;
        host->handle(guest, needs_keys, request, [&](const std::string& text) {
            CHECK(!answer);
            answer = text;
        });
        REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
        return json::parse(*answer);
    }
    json ask(Operation operation, bool needs_keys = false) {
        return ask(GuestRequest{.operation = operation}, needs_keys);
    }

    /// A program that does what the lines of `script` say.
    std::vector<std::string> program(const std::string& script) const {
        return {"sh", "-c", script, "ask"};
    }
    void ask_with(const std::string& script, Approval approve = Approval::always) {
        settings.approve_command = program(script);
        guest.approve = approve;
        apply();
    }

    std::vector<json> audit() const {
        std::vector<json> lines;
        std::istringstream text(temp.read("audit.jsonl"));
        for (std::string line; std::getline(text, line);)
            lines.push_back(json::parse(line));
        return lines;
    }
};

} // namespace livesock

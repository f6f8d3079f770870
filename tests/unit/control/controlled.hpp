// A control server on a test's own loop, between clients and agents that the test plays.
#pragma once

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/control/server.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace livesock {

inline const nlohmann::json wait_for_ever{{"command", "wait"}};

/// A supervisor that records what it is told.
class FakeHost final : public ControlHost {
  public:
    FakeHost(EventLoop& loop, AgentPool& agents, StandIns& stand_ins)
        : loop_(loop)
        , agents_(agents)
        , stand_ins_(stand_ins) {}

    SupervisorFacts told;       ///< what it says of itself
    std::string config_problem; ///< reload() fails with it, unless it is empty
    FailureLog failed;
    std::string tokens; ///< the token file; empty: there is none
    std::vector<std::string> token_listeners;
    std::vector<ClientUse> used;
    RequestLog watched;
    int reloads = 0;
    int stops = 0;
    std::vector<std::function<void(const Result<pid_t>&)>> restarts; ///< to be answered

    EventLoop& loop() override { return loop_; }
    AgentPool& agents() override { return agents_; }
    StandIns& stand_ins() override { return stand_ins_; }
    SupervisorFacts facts() const override { return told; }
    const FailureLog& failures() const override { return failed; }
    Result<ClientTokens> client_tokens(const std::string& listener) override {
        token_listeners.push_back(listener);
        return tokens.empty() ? Result<ClientTokens>(Error{"nobody takes tokens"})
                              : ClientTokens(tokens);
    }
    RequestLog& requests() override { return watched; }
    std::vector<ClientUse> uses() const override { return used; }
    Result<void> reload() override {
        ++reloads;
        return config_problem.empty() ? Result<void>() : Error{config_problem};
    }
    void restart(std::function<void(const Result<pid_t>&)> done) override {
        restarts.push_back(std::move(done));
    }
    void stop() override { ++stops; }

  private:
    EventLoop& loop_;
    AgentPool& agents_;
    StandIns& stand_ins_;
};

struct Controlled {
    /// Nothing happens by itself while a test runs.
    static constexpr ProbeSettings slow{.interval = std::chrono::hours(1),
                                        .timeout = std::chrono::hours(1),
                                        .hung_after = std::chrono::hours(1)};

    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    std::string path = directory.entry("control.sock");
    AgentPool pool;
    std::vector<std::unique_ptr<FakeAgent>> agents;
    StandIns stand_ins;
    FakeHost host{loop, pool, stand_ins};
    std::unique_ptr<ControlServer> server;

    explicit Controlled(const ProbeSettings& settings = slow)
        : pool(loop, settings, publisher)
        , stand_ins(loop, pool,
                    StandInFiles({.tmp = temp.path(), .home = {}, .runtime = {}},
                                 directory.entry("agent.sock")),
                    StandInMode::hung)
        , server(std::make_unique<ControlServer>(host, std::move(*listen_at(path)))) {}

    /// An agent with the key `fill` that is not known to the pool, the newer the later it is made.
    FakeAgent& make_agent(char fill) {
        const std::string agent_path = temp.entry(std::string("agent.") + fill);
        agents.push_back(std::make_unique<FakeAgent>(
            loop, agent_path,
            std::vector<Identity>{{make_blob(fill), std::string("key ") + fill}}));
        const timespec made{born_of(agents.size()), 0};
        const timespec times[2] = {made, made};
        REQUIRE(::utimensat(AT_FDCWD, agent_path.c_str(), times, 0) == 0);
        return *agents.back();
    }
    /// When the `number`th agent, counted from 1, seems to have been made.
    static time_t born_of(std::size_t number) {
        return 1'000'000'000 + static_cast<time_t>(number);
    }
    void add(const FakeAgent& agent, Origin origin = Origin::configured) {
        REQUIRE(pool.add(agent.path(), origin));
        settle(loop);
    }
    FakeAgent& add_live(char fill) {
        FakeAgent& agent = make_agent(fill);
        add(agent);
        REQUIRE(becomes(agent, AgentState::live));
        return agent;
    }
    bool becomes(const FakeAgent& agent, AgentState state) {
        const bool has_become = run_until(loop, [&] {
            const Candidate* const candidate = pool.find(agent.path());
            return candidate != nullptr && candidate->state() == state;
        });
        settle(loop);
        return has_become;
    }

    FarEnd connect() const { return FarEnd(path); }

    /// Sends a request, of which the answer is not awaited.
    void tell(FarEnd& client, const nlohmann::json& request) {
        const std::string line = request.dump() + '\n';
        REQUIRE(client.send(line) == line.size());
        settle(loop);
    }
    /// The one answer that `client` receives now; null if the connection ends without one.
    nlohmann::json receive(FarEnd& client) {
        REQUIRE(
            run_until(loop, [&] { return client.received().ends_with('\n') || client.at_end(); }));
        return nlohmann::json::parse(client.take(), nullptr, /* allow_exceptions */ false);
    }
    nlohmann::json ask(FarEnd& client, const nlohmann::json& request) {
        tell(client, request);
        return receive(client);
    }
    /// Asks over a connection of its own.
    nlohmann::json ask(const nlohmann::json& request) {
        FarEnd client = connect();
        return ask(client, request);
    }
    /// What is answered to `text`, which may be no request.
    nlohmann::json ask_in_bytes(FarEnd& client, std::string_view text) {
        REQUIRE(client.send(text) == text.size());
        return receive(client);
    }
};

} // namespace livesock

// A proxy on a test's own loop, between clients and agents that the test plays.
#pragma once

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/proxy/proxy.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace livesock {

struct Proxied {
    /// Nothing happens by itself while a test runs.
    static constexpr ProbeSettings slow_probe{.interval = std::chrono::hours(1),
                                              .timeout = std::chrono::hours(1),
                                              .hung_after = std::chrono::hours(1)};
    static inline const ProxySettings slow_proxy{.grace = std::chrono::hours(1),
                                                 .list_timeout = std::chrono::hours(1),
                                                 .sign_timeout = std::chrono::hours(1),
                                                 .max_clients = 1000};

    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    std::string path = directory.entry("agent.sock");
    AgentPool pool;
    std::vector<std::unique_ptr<FakeAgent>> agents;
    std::unique_ptr<Proxy> proxy;

    explicit Proxied(const ProxySettings& settings = slow_proxy,
                     const ProbeSettings& probe = slow_probe)
        : pool(loop, probe, publisher)
        , proxy(std::make_unique<Proxy>(loop, pool, settings, std::move(*listen_at(path)))) {}

    /// An agent with the key `fill` that is not known to the pool, the newer the later it is made.
    FakeAgent& make_agent(char fill) {
        const std::string agent_path = temp.entry(std::string("agent.") + fill);
        agents.push_back(std::make_unique<FakeAgent>(
            loop, agent_path, std::vector<Identity>{{make_blob(fill), std::string(1, fill)}}));
        const timespec made{1'000'000'000 + static_cast<time_t>(agents.size()), 0};
        const timespec times[2] = {made, made};
        REQUIRE(::utimensat(AT_FDCWD, agent_path.c_str(), times, 0) == 0);
        return *agents.back();
    }
    void add(const FakeAgent& agent) { REQUIRE(pool.add(agent.path(), Origin::configured)); }
    /// One that is live: the next requests of new clients go there.
    FakeAgent& add_live(char fill) {
        FakeAgent& agent = make_agent(fill);
        add(agent);
        REQUIRE(run_until(loop, [&] {
            return pool.selected() != nullptr && pool.selected()->path() == agent.path();
        }));
        settle(loop);
        return agent;
    }

    FarEnd connect() const { return FarEnd(path); }

    /// The next frame that `client` receives; empty if the connection ends before.
    std::string receive(FarEnd& client) {
        std::string& buffer = buffers_[client.fd()];
        std::size_t length = 0;
        const bool has_come = run_until(loop, [&] {
            buffer += client.take();
            length = length_field + WireReader(buffer).uint32().value_or(0);
            return (buffer.size() >= length_field && buffer.size() >= length) || client.at_end();
        });
        CHECK(has_come);
        if (buffer.size() < length)
            return {};
        std::string frame = buffer.substr(0, length);
        buffer.erase(0, length);
        return frame;
    }
    std::string ask(FarEnd& client, const std::string& request) {
        REQUIRE(client.send(request) == request.size());
        return receive(client);
    }
    bool ends(FarEnd& client) {
        return run_until(loop, [&] { return client.at_end(); });
    }

  private:
    std::map<int, std::string> buffers_;
};

inline std::string list_of(const FakeAgent& agent) {
    return identities_answer(agent.keys);
}
inline std::string signature_of(const FakeAgent& agent) {
    return make_frame(MessageType::sign_response,
                      WireWriter().string("signed at " + agent.path()).bytes());
}

/// A request that changes an agent.
inline const std::string add_key_frame = make_frame(MessageType::add_identity, "a key");
inline const std::string success_frame = make_frame(MessageType::success);

} // namespace livesock

#include "supervisor/upstream/upstreams.hpp"

#include "supervisor/base/runtime_dir.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/far_port.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/upstream/usual.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct WithUpstreams {
    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    Children children{loop};
    AgentPool pool{loop, slow, publisher};
    Upstreams upstreams{loop, pool, children};
    FakeAgent fake{loop, temp.entry("agent"), {ann}};

    bool becomes(const std::string& path, AgentState state) {
        return run_until(loop, [&] {
            const Candidate* const agent = pool.find(path);
            return agent != nullptr && agent->state() == state;
        });
    }
    std::string reason(const std::string& path) { return pool.find(path)->reason(); }
};

UpstreamSettings tcp(const FarPort& port, std::string token_file = {}) {
    return {.tcp = port.address(),
            .vsock = {},
            .command = {},
            .bus = {},
            .token_file = std::move(token_file)};
}

} // namespace

TEST_CASE("an upstream is an agent among the others, and no path leads past the proxy") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    pooled.upstreams.apply({tcp(port)});
    const std::string name = "tcp:" + port.address();
    REQUIRE(pooled.becomes(name, AgentState::live));
    settle(pooled.loop);
    const Candidate& agent = *pooled.pool.find(name);
    CHECK(pooled.pool.selected() == &agent);
    CHECK(agent.label() == "tcp " + port.address());
    CHECK(agent.origin() == Origin::upstream);
    CHECK(agent.tier() == 0);
    CHECK(agent.offers(ann.blob));
    CHECK(!std::filesystem::is_symlink(pooled.directory.entry("live")));
}

TEST_CASE("a status file is written though its directory comes after the agent") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    UpstreamSettings settings = tcp(port);
    settings.status_file = pooled.temp.entry("later/status");
    pooled.upstreams.apply({settings});
    REQUIRE(pooled.becomes("tcp:" + port.address(), AgentState::live));
    REQUIRE(::mkdir(pooled.temp.entry("later").c_str(), 0755) == 0);
    REQUIRE(run_until(pooled.loop, [&] { return std::filesystem::exists(settings.status_file); }));
    CHECK(pooled.temp.read("later/status") == "connected\n");
}

TEST_CASE("a connection to a far agent is kept ready, and not to a command") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    pooled.upstreams.apply({tcp(port)});
    REQUIRE(pooled.becomes("tcp:" + port.address(), AgentState::live));
    CHECK(run_until(pooled.loop, [&] { return port.accepted == 2; }));
    Result<Candidate::Upstream> connection = pooled.pool.find("tcp:" + port.address())->connect();
    REQUIRE(connection);
    CHECK(connection->was_spare);
}

TEST_CASE("of two upstreams the one that came to life last is the newest") {
    WithUpstreams pooled;
    FakeAgent other(pooled.loop, pooled.temp.entry("other"), {ann});
    FarPort first(pooled.loop, pooled.fake);
    FarPort second(pooled.loop, other);
    second.close();
    pooled.upstreams.apply({tcp(second), tcp(first)});
    REQUIRE(pooled.becomes("tcp:" + first.address(), AgentState::live));
    CHECK(pooled.pool.selected() == pooled.pool.find("tcp:" + first.address()));
    second.open(); // it is dialled again within seconds
    REQUIRE(pooled.becomes("tcp:" + second.address(), AgentState::live));
    settle(pooled.loop);
    CHECK(pooled.pool.selected() == pooled.pool.find("tcp:" + second.address()));
}

TEST_CASE("an upstream that cannot be reached is dead, says why, and is tried again") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    const std::string name = "tcp:" + port.address();
    port.close();
    pooled.upstreams.apply({tcp(port)});
    REQUIRE(pooled.becomes(name, AgentState::dead));
    CHECK(pooled.reason(name).find("Connection refused") != std::string::npos);
    port.open();
    REQUIRE(pooled.becomes(name, AgentState::live));
    CHECK(pooled.reason(name).empty());
    port.close();
    REQUIRE(pooled.becomes(name, AgentState::dead));
    port.open();
    CHECK(pooled.becomes(name, AgentState::live));
}

TEST_CASE("a token file that is of no use is the reason why an upstream is dead") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake, token);
    const std::string name = "tcp:" + port.address();
    const std::string path = pooled.temp.write("token", token);
    ::chmod(path.c_str(), 0644);
    pooled.upstreams.apply({tcp(port, path)});
    REQUIRE(pooled.becomes(name, AgentState::dead));
    CHECK(pooled.reason(name).find("chmod 600") != std::string::npos);
    CHECK(port.accepted == 0);
    ::chmod(path.c_str(), 0600);
    pooled.upstreams.apply({tcp(port, path)});
    CHECK(pooled.becomes(name, AgentState::live));
}

TEST_CASE("what has not changed stays as it is, what is left out is forgotten") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    pooled.upstreams.apply({tcp(port)});
    REQUIRE(pooled.becomes("tcp:" + port.address(), AgentState::live));
    const std::uint64_t id = pooled.pool.find("tcp:" + port.address())->id();
    pooled.upstreams.apply(
        {{.tcp = {}, .vsock = {}, .command = {"false", "1"}, .bus = {}, .token_file = {}},
         {.tcp = {}, .vsock = {}, .command = {"false", "2"}, .bus = {}, .token_file = {}},
         tcp(port)});
    CHECK(pooled.pool.find("tcp:" + port.address())->id() == id);
    CHECK(pooled.pool.find("command:false") != nullptr);
    CHECK(pooled.pool.find("command:false#2") != nullptr);
    CHECK(pooled.becomes("command:false", AgentState::dead));
    pooled.upstreams.apply({});
    CHECK(pooled.pool.candidates().empty());
    CHECK(run_until(pooled.loop, [&] { return pooled.fake.open_connections() == 0; }));
}

TEST_CASE("an upstream that is dead makes no room for others") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    port.close();
    pooled.upstreams.apply({tcp(port)});
    REQUIRE(pooled.becomes("tcp:" + port.address(), AgentState::dead));
    std::vector<std::unique_ptr<FakeAgent>> agents;
    for (std::size_t i = 0; i < most_agents; ++i) {
        agents.push_back(std::make_unique<FakeAgent>(
            pooled.loop, pooled.temp.entry("more." + std::to_string(i))));
        if (i + 1 < most_agents)
            CHECK(pooled.pool.add(agents.back()->path(), Origin::configured));
        else
            CHECK(!pooled.pool.add(agents.back()->path(), Origin::configured));
    }
    CHECK(pooled.pool.find("tcp:" + port.address()) != nullptr);
}

TEST_CASE("a successor writes no status file until it is the one that keeps them") {
    WithUpstreams pooled;
    FarPort port(pooled.loop, pooled.fake);
    UpstreamSettings settings = tcp(port);
    settings.status_file = pooled.temp.entry("status");
    pooled.upstreams.apply({settings});
    REQUIRE(run_until(pooled.loop, [&] { return pooled.temp.read("status") == "connected\n"; }));
    ReportPublisher held(pooled.directory, ReportPublisher::Held{});
    AgentPool pool(pooled.loop, slow, held);
    Upstreams successor(pooled.loop, pool, pooled.children);
    successor.leave_status_files();
    successor.apply({settings});
    CHECK(pooled.temp.read("status") == "connected\n");
    SUBCASE("it fails") {
        successor.apply({});
        CHECK(pooled.temp.read("status") == "connected\n");
    }
    SUBCASE("it is") {
        port.close();
        successor.keep_status_files();
        CHECK(pooled.temp.read("status") == "not connected\n");
    }
}

#include "supervisor/upstream/agent_pool.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/upstream/usual.hpp"

#include <cerrno>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct Pooled {
    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    AgentPool pool;
    int changes = 0;
    std::vector<std::unique_ptr<FakeAgent>> agents;

    explicit Pooled(const ProbeSettings& settings = slow)
        : pool(loop, settings, publisher) {
        pool.on_change([this] { ++changes; });
    }

    /// An agent with the key `fill`, whose socket is the newer the later it is made.
    FakeAgent& make_agent(char fill) {
        const std::string path = temp.entry(std::string("agent.") + fill);
        agents.push_back(
            std::make_unique<FakeAgent>(loop, path, std::vector<Identity>{{make_blob(fill), "k"}}));
        const timespec made{1'000'000'000 + static_cast<time_t>(agents.size()), 0};
        const timespec times[2] = {made, made};
        REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
        return *agents.back();
    }
    Candidate* add(const FakeAgent& agent, Origin origin = Origin::forwarded) {
        const Result<Candidate*> added = pool.add(agent.path(), origin);
        REQUIRE(added);
        return *added;
    }
    FakeAgent& add_live(char fill) {
        FakeAgent& agent = make_agent(fill);
        add(agent);
        REQUIRE(run_until(loop, [&] { return state_of(agent) == AgentState::live; }));
        settle(loop);
        return agent;
    }
    AgentState state_of(const FakeAgent& agent) const {
        const Candidate* const candidate = pool.find(agent.path());
        return candidate != nullptr ? candidate->state() : AgentState::dead;
    }
    std::string selected() const {
        return pool.selected() != nullptr ? pool.selected()->path() : std::string();
    }
    std::string published() const {
        std::error_code absent;
        return std::filesystem::read_symlink(directory.entry("live"), absent).string();
    }
    bool selects(const FakeAgent& agent) {
        return run_until(loop, [&] { return selected() == agent.path(); });
    }
};

} // namespace

TEST_CASE("an agent is chosen and published when it has answered, not before") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    agent.is_silent = true;
    const Candidate* const candidate = pooled.add(agent);
    CHECK(candidate->state() == AgentState::fresh);
    settle(pooled.loop);
    CHECK(pooled.selected().empty());
    CHECK(pooled.published().empty());
    CHECK(pooled.changes == 0);
    REQUIRE(!agent.requests.empty());
    agent.answer_now(agent.requests[0]);
    REQUIRE(pooled.selects(agent));
    CHECK(pooled.published() == agent.path());
    settle(pooled.loop);
    CHECK(pooled.changes == 1);
}

TEST_CASE("what may be no agent is refused") {
    Pooled pooled;
    CHECK(pooled.pool.add(pooled.temp.entry("none"), Origin::registered).error().code == ENOENT);
    CHECK(pooled.pool.add(pooled.temp.write("file", ""), Origin::registered).error().code == EPERM);
    CHECK(pooled.pool.candidates().empty());
}

TEST_CASE("our own socket is no agent, by whatever name") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    pooled.pool.never_use(agent.path());
    const std::string link = pooled.temp.entry("link");
    std::filesystem::create_symlink(agent.path(), link);
    for (const std::string& path : {agent.path(), link}) {
        const Result<Candidate*> added = pooled.pool.add(path, Origin::registered);
        REQUIRE(!added);
        CHECK(added.error().code == EPERM);
        CHECK(added.error().message.find("livesock's own socket") != std::string::npos);
    }
    CHECK(agent.accepted == 0);
}

TEST_CASE("an agent that is added twice, by whatever name, is one") {
    Pooled pooled;
    FakeAgent& agent = pooled.add_live('a');
    const std::string link = pooled.temp.entry("link");
    std::filesystem::create_symlink(agent.path(), link);
    CHECK(*pooled.pool.add(agent.path(), Origin::configured) == pooled.pool.find(agent.path()));
    CHECK(*pooled.pool.add(link, Origin::registered) == pooled.pool.find(agent.path()));
    settle(pooled.loop);
    CHECK(pooled.pool.candidates().size() == 1);
    CHECK(agent.accepted == 1);
}

TEST_CASE("a socket at which nobody listens is not taken up, found or named") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    agent.stop_listening();
    for (const Origin origin : {Origin::forwarded, Origin::configured, Origin::registered}) {
        const Result<Candidate*> added = pooled.pool.add(agent.path(), origin);
        REQUIRE(!added);
        CHECK(added.error().code == ECONNREFUSED);
    }
    CHECK(pooled.pool.candidates().empty());
}

TEST_CASE("a dead agent is asked anew when it is added again") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    agent.hangs_up_at_once = true;
    pooled.add(agent);
    REQUIRE(run_until(pooled.loop, [&] { return pooled.state_of(agent) == AgentState::dead; }));
    settle(pooled.loop);
    agent.hangs_up_at_once = false;
    pooled.add(agent);
    REQUIRE(pooled.selects(agent));
}

TEST_CASE("the newest agent is chosen, and the next one when it dies") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    CHECK(pooled.selected() == new_one.path());
    CHECK(pooled.published() == new_one.path());
    new_one.log_out();
    REQUIRE(pooled.selects(old_one));
    CHECK(pooled.published() == old_one.path());
    CHECK(pooled.pool.find(new_one.path()) == nullptr);
    old_one.log_out();
    REQUIRE(run_until(pooled.loop, [&] { return pooled.pool.candidates().empty(); }));
    CHECK(pooled.selected().empty());
    CHECK(pooled.published().empty());
}

TEST_CASE("an agent that gets its first key is chosen before a newer one without") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.make_agent('b');
    new_one.keys.clear();
    pooled.add(new_one);
    REQUIRE(run_until(pooled.loop, [&] { return pooled.state_of(new_one) == AgentState::live; }));
    settle(pooled.loop);
    CHECK(pooled.selected() == old_one.path());
    new_one.keys.push_back({make_blob('n'), ""});
    pooled.pool.find(new_one.path())->refresh();
    REQUIRE(pooled.selects(new_one));
    CHECK(pooled.published() == new_one.path());
}

TEST_CASE("a late agent gives way to a live one, stays chosen alone, and is dropped when hung") {
    Pooled pooled({.interval = 5ms, .timeout = 30ms, .hung_after = 200ms});
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    new_one.is_silent = true;
    REQUIRE(pooled.selects(old_one));
    CHECK(pooled.state_of(new_one) == AgentState::late);
    old_one.log_out();
    REQUIRE(pooled.selects(new_one));
    REQUIRE(run_until(pooled.loop, [&] { return pooled.selected().empty(); }));
    CHECK(pooled.state_of(new_one) == AgentState::hung);
    CHECK(pooled.published().empty());
    new_one.is_silent = false;
    new_one.answer_now(new_one.requests.back());
    REQUIRE(pooled.selects(new_one));
}

TEST_CASE("an agent can be pinned by path, label or the fingerprint of a key") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    REQUIRE(pooled.selected() == new_one.path());
    std::string name;
    SUBCASE("path") {
        name = old_one.path();
    }
    SUBCASE("what the user calls it") {
        pooled.pool.apply({{old_one.path(), "work"}});
        name = "work";
    }
    SUBCASE("fingerprint") {
        name = fingerprint(make_blob('a'));
    }
    REQUIRE(pooled.pool.pin(name));
    CHECK(pooled.pool.pinned().word == name);
    CHECK(pooled.selected() == old_one.path());
    CHECK(pooled.published() == old_one.path());
    pooled.pool.unpin();
    CHECK(pooled.pool.pinned() == Pin{});
    CHECK(pooled.selected() == new_one.path());
}

TEST_CASE("a label pins every agent that it fits: the newest of them is used") {
    Pooled pooled;
    pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    REQUIRE(pooled.pool.pin(pooled.pool.selected()->label()));
    CHECK(pooled.selected() == new_one.path());
}

TEST_CASE("a pin that fits nothing is an error, and the former one stays") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    pooled.add_live('b');
    REQUIRE(pooled.pool.pin(old_one.path()));
    for (const char* name : {"nobody", "", "SHA256:", "a\nb"}) {
        const Result<AgentPool::Choice> pinned = pooled.pool.pin(name);
        REQUIRE(!pinned);
        CHECK(pinned.error().code == ENOENT);
        CHECK(pinned.error().message.find('\n') == std::string::npos);
    }
    CHECK(pooled.pool.pinned().word == old_one.path());
    CHECK(pooled.selected() == old_one.path());
}

TEST_CASE("a pinned agent that dies gives way, and is preferred again when it is back") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    REQUIRE(pooled.pool.pin(old_one.path()));
    old_one.log_out();
    REQUIRE(pooled.selects(new_one));
    old_one.listen();
    pooled.add(old_one);
    REQUIRE(pooled.selects(old_one));
}

TEST_CASE("the best agent but for some is found for those who have tried these") {
    Pooled pooled;
    FakeAgent& old_one = pooled.add_live('a');
    FakeAgent& new_one = pooled.add_live('b');
    const std::vector<std::string> one{new_one.path()};
    const std::vector<std::string> both{old_one.path(), new_one.path()};
    CHECK(pooled.pool.best_except({})->path() == new_one.path());
    CHECK(pooled.pool.best_except(one)->path() == old_one.path());
    CHECK(pooled.pool.best_except(both) == nullptr);
}

TEST_CASE("a refresh is done when every agent has said again which keys it has") {
    Pooled pooled;
    FakeAgent& first = pooled.add_live('a');
    FakeAgent& second = pooled.add_live('b');
    first.keys.clear();
    second.keys.push_back({make_blob('c'), ""});
    int done = 0;
    pooled.pool.refresh(1h, [&] {
        ++done;
        CHECK(pooled.pool.find(first.path())->identities().empty());
        CHECK(pooled.pool.find(second.path())->identities().size() == 2);
    });
    CHECK(done == 0);
    REQUIRE(run_until(pooled.loop, [&] { return done > 0; }));
    settle(pooled.loop);
    CHECK(done == 1);
}

TEST_CASE("a refresh without any agent is done at once, from the loop") {
    Pooled pooled;
    int done = 0;
    pooled.pool.refresh(1h, [&] { ++done; });
    CHECK(done == 0);
    REQUIRE(run_until(pooled.loop, [&] { return done == 1; }));
}

TEST_CASE(
    "a refresh waits for an agent that is silent no longer than told, and only if it is live") {
    Pooled pooled;
    FakeAgent& agent = pooled.add_live('a');
    agent.is_silent = true;
    int done = 0;
    pooled.pool.refresh(10ms, [&] { ++done; });
    pooled.pool.refresh(1h, [&] { done += 100; });
    settle(pooled.loop);
    REQUIRE(run_until(pooled.loop, [&] { return done == 1; }));
    agent.log_out();
    REQUIRE(run_until(pooled.loop, [&] { return done == 101; }));
}

TEST_CASE("more agents than can be watched are ignored until some have gone") {
    Pooled pooled;
    for (std::size_t i = 0; i <= most_agents; ++i) {
        const std::string path = pooled.temp.entry(std::to_string(i));
        pooled.agents.push_back(std::make_unique<FakeAgent>(pooled.loop, path));
        const Result<Candidate*> added = pooled.pool.add(path, Origin::forwarded);
        CHECK(added.ok() == (i < most_agents));
        if (!added)
            CHECK(added.error().code == ENOSPC);
    }
    REQUIRE(run_until(pooled.loop, [&] {
        return std::all_of(
            pooled.pool.candidates().begin(), pooled.pool.candidates().end(),
            [](const auto& candidate) { return candidate->state() == AgentState::live; });
    }));
    pooled.agents[0]->log_out();
    REQUIRE(run_until(pooled.loop, [&] { return pooled.pool.candidates().size() < most_agents; }));
    pooled.add(*pooled.agents.back());
    REQUIRE(run_until(pooled.loop,
                      [&] { return pooled.state_of(*pooled.agents.back()) == AgentState::live; }));
}

TEST_CASE("new settings reach the agents that are known") {
    Pooled pooled;
    FakeAgent& agent = pooled.add_live('a');
    pooled.pool.apply({.interval = 1ms, .timeout = 1h, .hung_after = 1h});
    REQUIRE(run_until(pooled.loop, [&] { return agent.requests.size() >= 3; }));
}

TEST_CASE("a limit of connections holds for agents that are known, and for those that come later") {
    Pooled pooled;
    FakeAgent& known = pooled.add_live('a');
    pooled.pool.limit_upstreams(2);
    FakeAgent& later = pooled.add_live('b');
    for (FakeAgent* const agent : {&known, &later}) {
        Candidate& candidate = *pooled.pool.find(agent->path());
        const Result<Candidate::Upstream> first = candidate.connect();
        REQUIRE(first);
        CHECK_FALSE(candidate.has_room());
        const Result<Candidate::Upstream> second = candidate.connect();
        REQUIRE_FALSE(second);
        CHECK(second.error().code == EBUSY);
        candidate.disconnected();
        CHECK(candidate.has_room());
    }
}

TEST_CASE("a socket that is made in place of a hung agent's is asked") {
    Pooled pooled({.interval = 1h, .timeout = 1ms, .hung_after = 20ms});
    FakeAgent& old_one = pooled.make_agent('a');
    old_one.is_silent = true;
    pooled.add(old_one);
    REQUIRE(run_until(pooled.loop, [&] { return pooled.state_of(old_one) == AgentState::hung; }));
    std::filesystem::rename(old_one.path(), old_one.path() + ".old");
    SUBCASE("another one is") {
        const FakeAgent new_one(pooled.loop, old_one.path(),
                                std::vector<Identity>{{make_blob('n'), "k"}});
        pooled.add(old_one);
        CHECK(run_until(pooled.loop, [&] { return pooled.state_of(new_one) == AgentState::live; }));
        CHECK(pooled.pool.candidates().size() == 1);
        CHECK(pooled.pool.find(new_one.path())->offers(make_blob('n')));
    }
    SUBCASE("the same one, renamed and back, is not") {
        std::filesystem::rename(old_one.path() + ".old", old_one.path());
        pooled.add(old_one);
        settle(pooled.loop);
        CHECK(pooled.state_of(old_one) == AgentState::hung);
        CHECK(old_one.accepted == 1);
    }
}

TEST_CASE("an agent that was registered before is taken up though nobody listens there") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    agent.stop_listening();
    pooled.pool.restore(agent.path());
    pooled.pool.restore(pooled.temp.entry("gone"));
    settle(pooled.loop);
    REQUIRE(pooled.pool.candidates().size() == 1);
    CHECK(pooled.state_of(agent) == AgentState::dead);
    CHECK(pooled.pool.find(agent.path())->origin() == Origin::registered);
}

TEST_CASE("an agent is taken up at the name that its socket had before it was set aside") {
    Pooled pooled;
    FakeAgent& agent = pooled.make_agent('a');
    const std::string aside = agent.path() + ".hung";
    std::filesystem::rename(agent.path(), aside);
    pooled.pool.add_aside(agent.path(), aside, Origin::forwarded);
    CHECK(run_until(pooled.loop, [&] { return pooled.state_of(agent) == AgentState::live; }));
    CHECK(pooled.pool.find(agent.path())->socket() == aside);
    pooled.pool.add_aside(agent.path(), aside, Origin::forwarded);
    CHECK(pooled.pool.candidates().size() == 1);
}

TEST_CASE("a fallback is one by the name that was configured, wherever that leads by now") {
    Pooled pooled;
    FakeAgent& one = pooled.make_agent('a');
    FakeAgent& two = pooled.make_agent('b');
    const std::string link = pooled.temp.entry("fallback.sock");
    std::filesystem::create_symlink(one.path(), link);
    pooled.pool.add_routed(
        link,
        {.route = std::make_unique<SocketRoute>(link, std::vector<std::string>()), .label = {}});
    REQUIRE(run_until(pooled.loop, [&] { return pooled.pool.selected() != nullptr; }));
    std::filesystem::remove(link);
    std::filesystem::create_symlink(two.path(), link);
    const Result<Candidate*> added = pooled.pool.add(link, Origin::configured);
    REQUIRE(added);
    CHECK((*added)->tier() == 1);
    CHECK(pooled.pool.candidates().size() == 1);
}

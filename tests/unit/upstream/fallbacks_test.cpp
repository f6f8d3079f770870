#include "supervisor/upstream/fallbacks.hpp"

#include "supervisor/base/runtime_dir.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/upstream/usual.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// Answers every question with an empty list of identities, and adds a line to the file "starts".
FallbackSettings command(const TempDir& temp, const std::string& name) {
    const std::string path =
        temp.write(name, "#!/bin/sh\necho " + name + " >>" + temp.entry("starts") +
                             "\nwhile [ \"$(head -c 5 | wc -c)\" = 5 ]; do "
                             "printf '\\000\\000\\000\\005\\014\\000\\000\\000\\000'; done\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return {.socket = {}, .command = {path}, .local_keys = false};
}

FallbackSettings socket(std::string path) {
    return {.socket = std::move(path), .command = {}, .local_keys = false};
}

struct WithFallbacks {
    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    ReportPublisher publisher{directory};
    Children children{loop};
    AgentPool pool{loop, slow, publisher};
    Fallbacks fallbacks{loop, pool, children, directory.entry("keys.sock"), temp.path()};

    bool selects(const std::string& path) {
        return run_until(
            loop, [&] { return pool.selected() != nullptr && pool.selected()->path() == path; });
    }
    std::string published() const {
        std::error_code absent;
        return std::filesystem::read_symlink(directory.entry("live"), absent).string();
    }
    /// Runs for longer than any pause before a start.
    void wait_for_no_start() {
        const TimePoint end = Clock::now() + 700ms;
        CHECK(!run_until(
            loop, [&] { return Clock::now() > end + 1h; }, 700ms));
    }
};

} // namespace

TEST_CASE("a command is started when no agent is live, and is not led to past the proxy") {
    WithFallbacks pooled;
    pooled.fallbacks.apply({command(pooled.temp, "relay")});
    CHECK(pooled.children.count() == 0);
    CHECK(pooled.selects("fallback:relay"));
    CHECK(pooled.pool.selected()->label() == "fallback: relay");
    CHECK(pooled.published().empty());
}

TEST_CASE("a command is not started while an agent is live, and is when that has died") {
    WithFallbacks pooled;
    std::optional<FakeAgent> agent(std::in_place, pooled.loop, pooled.temp.entry("a"));
    REQUIRE(pooled.pool.add(agent->path(), Origin::forwarded));
    pooled.fallbacks.apply({command(pooled.temp, "relay")});
    CHECK(pooled.selects(pooled.temp.entry("a")));
    pooled.wait_for_no_start();
    CHECK(pooled.temp.read("starts").empty());
    CHECK(pooled.pool.find("fallback:relay")->state() == AgentState::fresh);
    agent.reset();
    CHECK(pooled.selects("fallback:relay"));
}

TEST_CASE("a command is ended when an agent is live again") {
    WithFallbacks pooled;
    pooled.fallbacks.apply({command(pooled.temp, "relay")});
    REQUIRE(pooled.selects("fallback:relay"));
    FakeAgent agent(pooled.loop, pooled.temp.entry("a"));
    REQUIRE(pooled.pool.add(agent.path(), Origin::forwarded));
    CHECK(pooled.selects(agent.path()));
    CHECK(run_until(pooled.loop, [&] { return pooled.children.count() == 0; }));
    CHECK(pooled.pool.find("fallback:relay")->is_resting());
    // What it answered no longer counts.
    CHECK(pooled.pool.find("fallback:relay")->state() == AgentState::fresh);
}

TEST_CASE("the second command is started when the first is of no use, and not else") {
    WithFallbacks pooled;
    FallbackSettings first = command(pooled.temp, "first");
    SUBCASE("of use") {
        pooled.fallbacks.apply({first, command(pooled.temp, "second")});
        CHECK(pooled.selects("fallback:first"));
        pooled.wait_for_no_start();
        CHECK(pooled.temp.read("starts") == "first\n");
    }
    SUBCASE("of no use") {
        for (const auto& words :
             {std::vector<std::string>{"false"}, std::vector<std::string>{"/nonexistent/relay"},
              std::vector<std::string>{"echo", "garbage"},
              std::vector<std::string>{"sleep", "1000"}}) {
            first.command = words;
            pooled.fallbacks.apply({first, command(pooled.temp, "second")});
            CHECK(pooled.selects("fallback:second"));
        }
    }
}

TEST_CASE("a pinned command runs even where another agent is live") {
    WithFallbacks pooled;
    FakeAgent agent(pooled.loop, pooled.temp.entry("a"));
    REQUIRE(pooled.pool.add(agent.path(), Origin::forwarded));
    pooled.fallbacks.apply({command(pooled.temp, "relay")});
    REQUIRE(pooled.selects(agent.path()));
    REQUIRE(pooled.pool.pin("fallback: relay"));
    CHECK(pooled.selects("fallback:relay"));
    pooled.pool.unpin();
    CHECK(pooled.selects(agent.path()));
    CHECK(run_until(pooled.loop, [&] { return pooled.children.count() == 0; }));
}

TEST_CASE("a command that cannot be executed is dead, and tried once an interval") {
    WithFallbacks pooled;
    pooled.fallbacks.apply(
        {{.socket = {}, .command = {"/nonexistent/relay"}, .local_keys = false}});
    const Candidate* const relay = pooled.pool.find("fallback:relay");
    CHECK(run_until(pooled.loop, [&] { return relay->state() == AgentState::dead; }));
    CHECK(relay->reason().find("'/nonexistent/relay'") != std::string::npos);
    pooled.wait_for_no_start();
    CHECK(relay->state() == AgentState::dead);
}

TEST_CASE("a socket that comes later is waited for, and noticed") {
    WithFallbacks pooled;
    const std::string path = pooled.temp.entry("later");
    pooled.fallbacks.apply({socket(path)});
    REQUIRE(pooled.pool.find(path) != nullptr);
    CHECK(pooled.pool.find(path)->state() == AgentState::dead);
    FakeAgent agent(pooled.loop, path);
    // As discovery does.
    const Result<Candidate*> added = pooled.pool.add(path, Origin::configured);
    REQUIRE(added);
    CHECK((*added)->origin() == Origin::fallback);
    CHECK(pooled.selects(path));
    CHECK(pooled.published() == path);
    CHECK(pooled.pool.candidates().size() == 1);
}

TEST_CASE("an agent that was found is a fallback as soon as it is called one") {
    WithFallbacks pooled;
    FakeAgent agent(pooled.loop, pooled.temp.entry("a"));
    REQUIRE(pooled.pool.add(agent.path(), Origin::configured));
    pooled.fallbacks.apply({socket(agent.path())});
    REQUIRE(pooled.pool.candidates().size() == 1);
    CHECK(pooled.pool.candidates().front()->origin() == Origin::fallback);
}

TEST_CASE("our own socket is no fallback") {
    WithFallbacks pooled;
    FakeAgent own(pooled.loop, pooled.temp.entry("own"));
    pooled.pool.never_use(own.path());
    pooled.fallbacks.apply({socket(own.path())});
    CHECK(pooled.pool.find(own.path())->state() == AgentState::dead);
    CHECK(pooled.pool.find(own.path())->reason().find("own socket") != std::string::npos);
}

TEST_CASE("what is the same when fallbacks are set anew stays as it is, at its new place") {
    WithFallbacks pooled;
    const FallbackSettings relay = command(pooled.temp, "relay");
    FakeAgent agent(pooled.loop, pooled.temp.entry("a"));
    pooled.fallbacks.apply({relay});
    REQUIRE(pooled.selects("fallback:relay"));
    const pid_t pid = pooled.pool.selected()->pid();
    pooled.fallbacks.apply({relay, socket(agent.path())});
    settle(pooled.loop);
    CHECK(pooled.pool.selected()->pid() == pid);
    pooled.fallbacks.apply({socket(agent.path()), relay});
    CHECK(pooled.selects(agent.path()));
    pooled.fallbacks.apply({});
    CHECK(pooled.pool.candidates().empty());
    CHECK(run_until(pooled.loop, [&] { return pooled.children.count() == 0; }));
}

TEST_CASE("two commands of one name are told apart") {
    WithFallbacks pooled;
    pooled.fallbacks.apply({{.socket = {}, .command = {"false", "1"}, .local_keys = false},
                            {.socket = {}, .command = {"false", "2"}, .local_keys = false}});
    CHECK(pooled.pool.find("fallback:false") != nullptr);
    CHECK(pooled.pool.find("fallback:false#2") != nullptr);
}

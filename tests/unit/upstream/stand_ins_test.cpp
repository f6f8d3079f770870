#include "supervisor/upstream/stand_ins.hpp"

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/process_with_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <thread>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const ProbeSettings quick{.interval = 20ms, .timeout = 10ms, .hung_after = 20ms};

struct Stood {
    TempDir temp;
    EventLoop loop = make_loop();
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    std::string target = directory.entry("agent.sock");
    UniqueFd stable = std::move(*listen_at(target));
    ReportPublisher publisher{directory};
    AgentPool pool{loop, quick, publisher};
    std::string path = temp.entry("ssh-X/agent.1");
    StandIns stand_ins{loop, pool,
                       StandInFiles({.tmp = temp.path(), .home = {}, .runtime = {}}, target),
                       StandInMode::hung};

    HealOutcome heal() { return heal(path); }
    HealOutcome heal(const std::string& at) {
        std::vector<HealOutcome> all;
        stand_ins.heal({at}, [&](std::vector<HealOutcome> outcomes) { all = std::move(outcomes); });
        REQUIRE(run_until(loop, [&] { return !all.empty(); }));
        return all.front();
    }
    bool has_stand_in() const {
        std::error_code none;
        return fs::read_symlink(path, none) == target;
    }
};
using Healed = HealOutcome::Result;

} // namespace

TEST_CASE("a dead path gets a stand-in when a process refers to it, until a while after") {
    Stood stood;
    stood.stand_ins.start();
    CHECK(stood.heal().detail == "no running process has it as its SSH_AUTH_SOCK");
    CHECK_FALSE(stood.has_stand_in());
    {
        const ProcessWithSocket user(stood.path);
        CHECK(stood.heal().result == Healed::unchanged);
        CHECK(stood.has_stand_in());
        const std::vector<StandInView> list = stood.stand_ins.list();
        REQUIRE(list.size() == 1);
        CHECK(list[0].path == stood.path);
        CHECK(list[0].reason == StandInReason::dead);
        REQUIRE(list[0].users.named.size() == 1);
        CHECK(list[0].users.named[0].pid == user.pid());
    }
    SUBCASE("one scan that does not see it is not believed, the second is") {
        stood.heal();
        CHECK(stood.has_stand_in());
        stood.heal();
        CHECK_FALSE(stood.has_stand_in());
        CHECK(stood.stand_ins.list().empty());
    }
    SUBCASE("the end removes it") {
        stood.stand_ins.withdraw();
        CHECK_FALSE(fs::exists(stood.temp.entry("ssh-X")));
        CHECK(stood.stand_ins.list().empty());
    }
    SUBCASE("so does the configuration") {
        stood.stand_ins.apply(StandInMode::off);
        CHECK_FALSE(fs::exists(stood.temp.entry("ssh-X")));
    }
    SUBCASE("one that somebody has removed is not ours any more") {
        fs::remove_all(stood.temp.entry("ssh-X"));
        stood.heal();
        CHECK(stood.stand_ins.list().empty());
    }
    SUBCASE("a successor takes it over") {
        StandIns successor(
            stood.loop, stood.pool,
            StandInFiles({.tmp = stood.temp.path(), .home = {}, .runtime = {}}, stood.target),
            StandInMode::hung);
        successor.start();
        REQUIRE(successor.list().size() == 1);
        successor.withdraw();
        CHECK_FALSE(fs::exists(stood.temp.entry("ssh-X")));
    }
}

TEST_CASE("an agent that hangs is asked on at its socket's other name, and known by its own") {
    Stood stood;
    fs::create_directory(stood.temp.entry("ssh-X"));
    fs::permissions(stood.temp.entry("ssh-X"), fs::perms::owner_all);
    FakeAgent agent(stood.loop, stood.path);
    agent.is_silent = true;
    stood.stand_ins.start();
    REQUIRE(stood.pool.add(stood.path, Origin::forwarded));
    const ProcessWithSocket user(stood.path);
    REQUIRE(run_until(stood.loop, [&] { return stood.has_stand_in(); }));
    const Candidate* const candidate = stood.pool.find(stood.path);
    REQUIRE(candidate != nullptr);
    CHECK(candidate->path() == stood.path);
    CHECK(candidate->socket() == stood.path + ".hung");
    CHECK(stood.stand_ins.list()[0].reason == StandInReason::hung);
    CHECK(stood.heal().detail == "a stand-in is there: its agent hangs");
    stood.stand_ins.withdraw();
    CHECK(fs::is_socket(fs::symlink_status(stood.path)));
    CHECK(candidate->socket() == stood.path);
}

TEST_CASE("a path of another shape is refused") {
    Stood stood;
    CHECK(stood.heal(stood.temp.entry("other")).result == Healed::refused);
}

TEST_CASE("at the end nothing is put back for an sshd that has begun to end") {
    Stood stood;
    fs::create_directory(stood.temp.entry("ssh-X"));
    fs::permissions(stood.temp.entry("ssh-X"), fs::perms::owner_all);
    FakeAgent agent(stood.loop, stood.path);
    agent.is_silent = true;
    stood.stand_ins.start();
    REQUIRE(stood.pool.add(stood.path, Origin::forwarded));
    const ProcessWithSocket user(stood.path);
    REQUIRE(run_until(stood.loop, [&] { return stood.has_stand_in(); }));
    // As sshd does it: the name, the directory (which is not empty), and its own end.
    fs::remove(stood.path);
    SUBCASE("which it does when it was seen to listen") {
        std::thread sshd([&] { agent.end_when_dialled(); });
        stood.stand_ins.withdraw();
        sshd.join();
        CHECK_FALSE(fs::exists(stood.temp.entry("ssh-X")));
    }
    SUBCASE("but for one that stays it is") {
        stood.stand_ins.withdraw();
        CHECK(fs::is_socket(stood.path));
    }
}

#include "supervisor/upstream/command_agent.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <ctime>
#include <memory>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/wait.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct Commanded {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children{loop};
    CommandAgent agent;

    explicit Commanded(std::vector<std::string> command)
        : agent(loop, children, std::move(command), "the command") {}
    /// A shell script; "$T" in it is a private directory.
    explicit Commanded(const std::string& script)
        : agent(loop, children, {"sh", "-c", "T=" + temp.path() + "; " + script}, "the command") {}

    AgentConnection connect() {
        Result<AgentConnection> connection = agent.connect();
        REQUIRE(connection);
        return std::move(*connection);
    }
    bool all_ended() {
        return run_until(loop, [&] { return children.count() == 0 && agent.processes() == 0; });
    }
    /// The process whose ID the script has written to the file `name`.
    pid_t pid_in(const std::string& name) {
        REQUIRE(run_until(loop, [&] { return temp.read(name).ends_with('\n'); }));
        return std::stoi(temp.read(name));
    }
};

/// Zombies of others are dead enough: whether they are waited for is not up to us.
bool is_running(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    return file >> number >> name >> state && state != "Z" && state != "X";
}

bool has_no_child() {
    return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

std::string received(EventLoop& loop, const UniqueFd& fd, std::size_t size) {
    std::string bytes;
    char buffer[256];
    CHECK(run_until(loop, [&] {
        const ssize_t count = ::recv(fd.get(), buffer, sizeof buffer, 0);
        bytes.append(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
        return bytes.size() >= size || count == 0;
    }));
    return bytes;
}

bool reaches_its_end(EventLoop& loop, const UniqueFd& fd) {
    char byte = 0;
    return run_until(loop, [&] { return ::recv(fd.get(), &byte, 1, 0) == 0; });
}

} // namespace

TEST_CASE("a command has each connection to itself, on its standard input and output") {
    Commanded commanded(std::vector<std::string>{"cat"});
    const AgentConnection one = commanded.connect();
    const AgentConnection two = commanded.connect();
    CHECK(one.pid != two.pid);
    REQUIRE(::send(one.fd.get(), "one", 3, MSG_NOSIGNAL) == 3);
    REQUIRE(::send(two.fd.get(), "two", 3, MSG_NOSIGNAL) == 3);
    CHECK(received(commanded.loop, one.fd, 3) == "one");
    CHECK(received(commanded.loop, two.fd, 3) == "two");
}

TEST_CASE("a command ends with its connection, and not before") {
    Commanded commanded("exec sleep 1000");
    AgentConnection kept = commanded.connect();
    AgentConnection closed = commanded.connect();
    closed.fd.reset();
    CHECK(run_until(commanded.loop, [&] { return commanded.children.count() == 1; }));
    CHECK(!is_running(closed.pid));
    CHECK(is_running(kept.pid));
    kept.fd.reset();
    CHECK(commanded.all_ended());
    CHECK(has_no_child());
}

TEST_CASE("a command that does not want to end is killed, and with it what it has started") {
    Commanded commanded("trap '' TERM HUP; sleep 1000 & echo $! >$T/pid; wait; wait");
    AgentConnection connection = commanded.connect();
    const pid_t grandchild = commanded.pid_in("pid");
    CHECK(is_running(grandchild));
    connection.fd.reset();
    CHECK(commanded.all_ended());
    CHECK(has_no_child());
    CHECK(run_until(commanded.loop, [&] { return !is_running(grandchild); }));
}

TEST_CASE("what a command leaves running when it ends is killed") {
    Commanded commanded("sleep 1000 & echo $! >$T/pid");
    const AgentConnection connection = commanded.connect();
    const pid_t grandchild = commanded.pid_in("pid");
    CHECK(commanded.all_ended());
    CHECK(run_until(commanded.loop, [&] { return !is_running(grandchild); }));
    CHECK(reaches_its_end(commanded.loop, connection.fd));
}

TEST_CASE("a command that ends at once closes its connection") {
    Commanded commanded("exit 3");
    const AgentConnection connection = commanded.connect();
    CHECK(reaches_its_end(commanded.loop, connection.fd));
    CHECK(commanded.all_ended());
    CHECK(has_no_child());
}

TEST_CASE("what a command has answered before it ended is received") {
    Commanded commanded("printf answer");
    const AgentConnection connection = commanded.connect();
    CHECK(commanded.all_ended());
    CHECK(received(commanded.loop, connection.fd, 6) == "answer");
    CHECK(reaches_its_end(commanded.loop, connection.fd));
}

TEST_CASE("a command that never reads is written to as far as it goes, and ends") {
    Commanded commanded("exec sleep 1000");
    AgentConnection connection = commanded.connect();
    const std::string much(1024 * 1024, 'x');
    while (::send(connection.fd.get(), much.data(), much.size(), MSG_NOSIGNAL) > 0)
        settle(commanded.loop);
    CHECK(would_block(errno));
    connection.fd.reset();
    CHECK(commanded.all_ended());
}

TEST_CASE("a command that cannot be executed is an error that says which") {
    Commanded commanded(std::vector<std::string>{"/nonexistent/relay"});
    const Result<AgentConnection> connection = commanded.agent.connect();
    REQUIRE(!connection);
    CHECK(connection.error().message.find("'/nonexistent/relay'") != std::string::npos);
    CHECK(commanded.agent.processes() == 0);
    CHECK(commanded.children.count() == 0);
}

TEST_CASE("a command that floods its standard error does not keep the loop busy") {
    Commanded commanded("exec yes >&2");
    AgentConnection connection = commanded.connect();
    settle(commanded.loop);
    int turns = 0;
    Watch turn;
    turn = commanded.loop.timer([&] {
        ++turns;
        turn.start(1ms);
    });
    turn.start(0ms);
    const std::clock_t before = std::clock();
    CHECK(run_until(commanded.loop, [&] { return turns >= 100; }));
    CHECK(std::clock() - before < 3 * CLOCKS_PER_SEC);
    connection.fd.reset();
    CHECK(commanded.all_ended());
}

TEST_CASE("there is a limit to the processes of a command, of which it is told to try later") {
    Commanded commanded("exec sleep 1000");
    CHECK(commanded.agent.most_connections() == most_command_processes);
    std::vector<AgentConnection> connections;
    for (std::size_t i = 0; i < most_command_processes; ++i)
        connections.push_back(commanded.connect());
    const Result<AgentConnection> further = commanded.agent.connect();
    REQUIRE(!further);
    CHECK(further.error().code == EAGAIN);
    connections.pop_back();
    CHECK(run_until(commanded.loop, [&] { return commanded.agent.connect().ok(); }));
    connections.clear();
    CHECK(commanded.all_ended());
}

TEST_CASE("with the agent object its processes end") {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children(loop);
    auto agent = std::make_unique<CommandAgent>(
        loop, children, std::vector<std::string>{"sleep", "1000"}, "the command");
    const Result<AgentConnection> connection = agent->connect();
    REQUIRE(connection);
    agent.reset();
    CHECK(run_until(loop, [&] { return children.count() == 0; }));
    CHECK(!is_running(connection->pid));
}

TEST_CASE("the children are gone when their owner is, even stubborn ones") {
    EventLoop loop = make_loop();
    {
        Children children(loop);
        CommandAgent agent(loop, children,
                           {"sh", "-c", "trap '' TERM; echo up; sleep 1000; sleep 1000"},
                           "the command");
        const Result<AgentConnection> connection = agent.connect();
        REQUIRE(connection);
        CHECK(received(loop, connection->fd, 3) == "up\n");
    }
    CHECK(has_no_child());
}

TEST_CASE("so many lines a period are logged, the others are counted") {
    LineBudget budget;
    const TimePoint now = Clock::now();
    for (int i = 0; i < LineBudget::most_lines; ++i)
        CHECK(budget.take(now));
    for (int i = 0; i < 7; ++i)
        CHECK(!budget.take(now));
    CHECK(budget.left_out(now) == 0);
    CHECK(budget.left_out(now + LineBudget::period) == 7);
    CHECK(budget.take(now + LineBudget::period));
    CHECK(budget.left_out(now + 2 * LineBudget::period) == 0);
}

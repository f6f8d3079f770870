#include "supervisor/upstream/naming.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/clock.hpp"
#include "tests/support/temp_dir.hpp"

#include <array>
#include <csignal>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// A child of this process with what sshd tells those of a login.
class LoginChild {
  public:
    LoginChild() {
        std::array words{std::string("sleep"), std::string("600")};
        std::array variables{std::string("SSH_CONNECTION=10.0.0.5 50022 10.0.0.1 22"),
                             std::string("SSH_TTY=/dev/pts/3")};
        std::array<char*, 3> arguments{words[0].data(), words[1].data(), nullptr};
        std::array<char*, 3> environment{variables[0].data(), variables[1].data(), nullptr};
        REQUIRE(::posix_spawn(&pid_, "/bin/sleep", nullptr, nullptr, arguments.data(),
                              environment.data()) == 0);
    }
    ~LoginChild() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    LoginChild(const LoginChild&) = delete;
    LoginChild& operator=(const LoginChild&) = delete;

  private:
    pid_t pid_ = 0;
};

/// Before its exec(2) is over, a process has another environment.
void wait_for_login(const Naming& naming) {
    const TimePoint deadline = Clock::now() + 5s;
    while (!naming.login() && Clock::now() < deadline)
        ::usleep(1000);
    REQUIRE(naming.login());
}

} // namespace

TEST_CASE("an agent is called by its program, and by its path before that is known") {
    Naming naming("/tmp/a\nb", "", false);
    CHECK(naming.label() == "/tmp/a\\nb");
    CHECK(naming.pid() == 0);
    naming.found(::getpid());
    CHECK(naming.label() == fmt::format("unit-upstream (pid {})", ::getpid()));
    CHECK_FALSE(naming.login());
}

TEST_CASE("a label of the user's comes before everything else") {
    Naming naming("/tmp/agent", "the key in the drawer", false);
    naming.found(::getpid());
    CHECK(naming.label() == "the key in the drawer");
    HostNames labelled("/dev/null");
    labelled.apply({{"/tmp/agent", "mine"}});
    naming.ask(labelled);
    CHECK(naming.label() == "mine");
    CHECK(naming.client_name().empty());
}

TEST_CASE("a forwarded agent is called by its login") {
    const LoginChild child;
    Naming naming("/tmp/agent", "", true);
    CHECK_FALSE(naming.login());
    naming.found(::getpid());
    wait_for_login(naming);
    CHECK(naming.label() == "10.0.0.5 on pts/3");
    const TempDir temp;
    const HostNames hosts(temp.write("hosts", "10.0.0.5 laptop.lan laptop\n"));
    naming.ask(hosts);
    CHECK(naming.client_name() == "laptop.lan");
    CHECK(naming.label() == "laptop.lan (10.0.0.5) on pts/3");
    const AgentNames names = naming.names({{"blob", "ann@laptop"}});
    CHECK(names.path == "/tmp/agent");
    CHECK(names.label == naming.label());
    CHECK(names.host == "laptop.lan");
    CHECK(names.address == "10.0.0.5");
    CHECK(names.tty == "pts/3");
    CHECK(names.keys == std::vector<std::string>{fingerprint("blob"), "ann@laptop"});
}

TEST_CASE("an agent that is not forwarded has no login, whatever children its process has") {
    const LoginChild child;
    Naming forwarded("/tmp/agent", "", true);
    forwarded.found(::getpid());
    wait_for_login(forwarded);
    Naming naming("/tmp/agent", "", false);
    naming.found(::getpid());
    CHECK_FALSE(naming.login());
}

#include "supervisor/proxy/client_process.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("a process without a terminal works for its program, and for those that started it") {
    // In a session of its own, which has no terminal.
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        const std::string own[] = {"unit-proxy"};
        const std::string other[] = {"no-such-program"};
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            const bool is_right =
                is_background_of(::getpid(), own) && is_background_of(::getppid(), own) &&
                !is_background_of(::getpid(), other) && !is_background_of(::getpid(), {});
            ::_exit(is_right ? 0 : 1);
        }
        int status = 0;
        ::waitpid(grandchild, &status, 0);
        ::_exit(WEXITSTATUS(status));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("of a process that is not there nothing is said") {
    const std::string names[] = {""};
    CHECK(!is_background_of(-1, names));
    CHECK(!is_background_of(0, names));
}

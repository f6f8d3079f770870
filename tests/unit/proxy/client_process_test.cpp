#include "supervisor/proxy/client_process.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("a process is known by its name, its parent and its terminal") {
    const auto facts = parse_process("42 (git) S 7 42 42 34816 42 4194304 1 2");
    REQUIRE(facts);
    CHECK(facts->program == "git");
    CHECK(facts->parent == 7);
    CHECK(facts->has_terminal);
    CHECK(!parse_process("42 (git) S 7 42 42 0 -1 4194304")->has_terminal);
}

TEST_CASE("a name may hold blanks and parentheses") {
    const auto facts = parse_process("42 (a) S 1) R 7 42 42 0 -1 0");
    REQUIRE(facts);
    CHECK(facts->program == "a) S 1");
    CHECK(facts->parent == 7);
}

TEST_CASE("what is no such line says nothing") {
    for (const char* text : {"", "42", "42 (git", "42 git) S 1", ")(", "42 (git)", "42 (git) S",
                             "42 (git) S 7 42", "42 (git) S 7 42 42", "42 (git) S a b c d",
                             "42 (git) S 99999999999 1 1 1"})
        CHECK(!parse_process(text));
}

TEST_CASE("a process without a terminal works for its program, and for those that started it") {
    // In a session of its own, which has no terminal.
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        const std::string own[] = {"unit-proxy"};
        const std::string other[] = {"no-such-program"};
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            const bool is_right = is_background_of(::getpid(), own) &&
                                  is_background_of(::getppid(), own) &&
                                  !is_background_of(::getpid(), other) &&
                                  !is_background_of(::getpid(), {});
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

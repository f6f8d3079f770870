#include "supervisor/daemon/hardening.hpp"

#include "tests/unit/daemon/in_child.hpp"

#include <csignal>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace livesock;

namespace {

/// What `tell` says of a process that has hardened itself after `prepare`.
std::string after_hardening(const std::function<void()>& prepare,
                            const std::function<std::string()>& tell) {
    InChild child;
    const Ended ended = child.run([&](const InChild& test) {
        prepare();
        harden_process();
        test.note(tell());
    });
    CHECK(ended.status == 0);
    CHECK(ended.error.empty());
    return ended.note;
}

std::string limits_of(__rlimit_resource resource) {
    rlimit limits{};
    ::getrlimit(resource, &limits);
    return std::to_string(limits.rlim_cur) + " of " + std::to_string(limits.rlim_max);
}

} // namespace

TEST_CASE("what a hardened process makes is its user's alone") {
    CHECK(after_hardening([] { ::umask(0); }, [] { return std::to_string(::umask(0)); }) ==
          std::to_string(077));
}

TEST_CASE("a hardened process writes no core, and cannot be made to") {
    CHECK(after_hardening(
              [] {
                  rlimit limits{};
                  ::getrlimit(RLIMIT_CORE, &limits);
                  limits.rlim_cur = limits.rlim_max;
                  ::setrlimit(RLIMIT_CORE, &limits);
              },
              [] { return limits_of(RLIMIT_CORE); }) == "0 of 0");
}

TEST_CASE("a hardened process gains no privileges by what it executes") {
    CHECK(after_hardening(
              [] {}, [] { return std::to_string(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); }) ==
          "1");
}

TEST_CASE("a hardened process has as many descriptors as it may have") {
    CHECK(after_hardening(
              [] {
                  const rlimit few{64, 256};
                  ::setrlimit(RLIMIT_NOFILE, &few);
              },
              [] { return limits_of(RLIMIT_NOFILE); }) == "256 of 256");
}

TEST_CASE("a process that may open too few files to serve says so") {
    const auto error_with = [](rlim_t limit, int held = 0) {
        return after_hardening(
            [limit, held] {
                for (int i = 0; i < held; ++i)
                    static_cast<void>(::dup(STDERR_FILENO));
                const rlimit few{limit, limit};
                ::setrlimit(RLIMIT_NOFILE, &few);
            },
            [] {
                const Result<void> room = check_open_files();
                return room ? std::string("room") : room.error().message;
            });
    };
    CHECK(error_with(64) == "room");
    CHECK(error_with(15).starts_with("only 15 files may be open, and "));
    CHECK(error_with(15).find("hard limit") != std::string::npos);
    CHECK(error_with(64, 40).starts_with("only 64 files may be open, and "));
}

TEST_CASE("a hardened process outlives a peer that has gone") {
    CHECK(after_hardening([] { std::signal(SIGPIPE, SIG_DFL); },
                          [] {
                              ::raise(SIGPIPE);
                              return std::string("alive");
                          }) == "alive");
}

TEST_CASE("a hardened process can still be looked at by its user") {
    CHECK(after_hardening(
              [] {}, [] { return std::to_string(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)); }) == "1");
}

#include "tests/bench/failure.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <unistd.h>

namespace livesock::bench {
namespace {

volatile std::sig_atomic_t signalled = 0;

void remember(int number) {
    if (number != SIGALRM)
        signalled = 1;
}

} // namespace

void fail_with_errno(const std::string& what) {
    const int code = errno;
    if (signalled)
        throw Failure("interrupted");
    if (code == EINTR)
        throw Failure(what + ": no answer in time");
    throw Failure(what + ": " + std::strerror(code));
}

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = remember; // no SA_RESTART: what waits must end
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGALRM})
        sigaction(number, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
    return signalled != 0;
}

void check_interrupted() {
    if (interrupted())
        throw Failure("interrupted");
}

Deadline::Deadline(std::chrono::seconds limit) {
    alarm(static_cast<unsigned>(limit.count()));
}

Deadline::~Deadline() {
    alarm(0);
}

} // namespace livesock::bench

// livesock-bench-client: reads "WHAT COUNT" lines, does that, writes the nanoseconds that one took.
// The agent is the one that SSH_AUTH_SOCK names, reached with the connect() that every program
// calls; whether the shim is in the way is for the environment to say.
#include "tests/bench/agent_connection.hpp"
#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include <netinet/in.h>

namespace {

using namespace livesock::bench;

/// The mean, of the quickest of short runs: these calls take as long as reading the clock.
template <class Address>
double time_connects(int fd, const Address& address, int count) {
    constexpr int run = 1000;
    double best = 1e18;
    for (int done = 0; done < count; done += run) {
        const double begin = now_ns();
        for (int i = 0; i < run; ++i)
            static_cast<void>(
                connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
        best = std::min(best, (now_ns() - begin) / run);
    }
    return best;
}

double carry_out(const std::string& what, int count, const sockaddr_un& agent) {
    if (what == "list")
        return median(time_visits(agent, list_request, count));
    if (what == "sign") {
        const auto keys = keys_in(AgentConnection(agent).ask(list_request));
        return median(time_visits(agent, sign_request(keys.at(0)), count));
    }
    if (what == "bad-fd")
        return time_connects(-1, agent, count);
    if (what == "udp") {
        const livesock::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const sockaddr_in address{.sin_family = AF_INET,
                                  .sin_port = htons(9),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_zero = {}};
        return time_connects(fd.get(), address, count);
    }
    if (what == "other-path") {
        const livesock::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        return time_connects(fd.get(), socket_address("/nobody-listens-here"), count);
    }
    throw Failure("no such thing: " + what);
}

} // namespace

int main() {
    try {
        const char* path = std::getenv("SSH_AUTH_SOCK");
        const sockaddr_un agent = socket_address(path != nullptr ? path : "");
        std::string what;
        for (int count = 0; std::cin >> what >> count;) {
            std::printf("%.3f\n", carry_out(what, count, agent));
            std::fflush(stdout);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "livesock-bench-client: %s\n", error.what());
        return 1;
    }
    return 0;
}

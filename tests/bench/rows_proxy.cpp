// What a client waits when the proxy stands between it and the agent.
#include "tests/bench/failure.hpp"
#include "tests/bench/rows.hpp"

namespace livesock::bench {
namespace {

constexpr int visits_a_block = 50;

void compare_visits(Bench& bench, const Subject& subject, const std::string& what,
                    std::span<const std::uint8_t> request, Target target, int rounds) {
    const Deadline deadline(std::chrono::seconds(120));
    const sockaddr_un proxied = socket_address(subject.agent_socket());
    std::vector<double> slow, slow_direct;
    const auto block = [&](const sockaddr_un& address, std::vector<double>& tail) {
        const std::vector<double> times = time_visits(address, request, visits_a_block);
        tail.insert(tail.end(), times.begin(), times.end());
        return median(times);
    };
    const Comparison comparison =
        interleave([&] { return block(proxied, slow); },
                   [&] { return block(bench.site.agent(), slow_direct); }, rounds);
    Row row = as_row(what, comparison, Unit::nanoseconds, target);
    row.note = "p99 " + format_value({percentile(slow, 0.99), Unit::nanoseconds}) + ", direct " +
               format_value({percentile(slow_direct, 0.99), Unit::nanoseconds});
    bench.table.add(row);
}

} // namespace

void measure_visits(Bench& bench) {
    const Subject subject = bench.proxy();
    compare_visits(bench, subject, "connect+list+close, proxy", list_request,
                   {Bound::ratio_at_most, 1.95}, bench.rounds(400, 60));
    compare_visits(bench, subject, "connect+sign+close, proxy, ed25519",
                   bench.site.sign_with_ed25519(), {Bound::ratio_at_most, 1.08},
                   bench.rounds(200, 40));
    compare_visits(bench, subject, "connect+sign+close, proxy, RSA 3072",
                   bench.site.sign_with_rsa(), {}, bench.rounds(30, 6));
}

void measure_open(Bench& bench) {
    const Deadline deadline(std::chrono::seconds(120));
    const Subject subject = bench.proxy();
    AgentConnection proxied(socket_address(subject.agent_socket()));
    AgentConnection direct(bench.site.agent());
    constexpr int requests_a_block = 100;
    const auto block = [&](AgentConnection& connection) {
        return median(time_requests(connection, list_request, requests_a_block));
    };
    const Comparison comparison = interleave([&] { return block(proxied); },
                                             [&] { return block(direct); }, bench.rounds(400, 60));
    bench.table.add(as_row("list on an open connection, proxy", comparison, Unit::nanoseconds,
                           {Bound::ratio_at_most, 1.45}));
}

} // namespace livesock::bench

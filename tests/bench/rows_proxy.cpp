// What a client waits when the proxy stands between it and the agent.
#include "tests/bench/failure.hpp"
#include "tests/bench/rows.hpp"

namespace livesock::bench {
namespace {

constexpr int visits_a_block = 50;

/// The proxy, and the relay in the same rounds if that is not what is measured.
struct Proxies {
    Subject subject;
    std::optional<Subject> floor;
};

void compare_visits(Bench& bench, const Proxies& proxies, const std::string& what,
                    std::span<const std::uint8_t> request, Target target, int rounds) {
    const Deadline deadline(std::chrono::seconds(120));
    const sockaddr_un proxied = socket_address(proxies.subject.agent_socket());
    std::vector<double> slow, slow_direct, slow_floor;
    const auto block = [&](const sockaddr_un& address, std::vector<double>& tail) {
        const std::vector<double> times = time_visits(address, request, visits_a_block);
        tail.insert(tail.end(), times.begin(), times.end());
        return median(times);
    };
    const Comparison comparison =
        interleave([&] { return block(proxied, slow); },
                   [&] { return block(bench.site.agent(), slow_direct); }, rounds,
                   on_floor(proxies.floor, [&](const sockaddr_un& address) {
                       return block(address, slow_floor);
                   }));
    Row row = as_row(what, comparison, Unit::nanoseconds, target);
    row.note = "p99 " + format_value({percentile(slow, 0.99), Unit::nanoseconds}) + ", direct " +
               format_value({percentile(slow_direct, 0.99), Unit::nanoseconds});
    bench.table.add(row);
}

void compare_requests(Bench& bench, const Proxies& proxies, const std::string& what,
                      Target target) {
    const Deadline deadline(std::chrono::seconds(120));
    AgentConnection proxied(socket_address(proxies.subject.agent_socket()));
    AgentConnection direct(bench.site.agent());
    std::optional<AgentConnection> floor;
    if (proxies.floor)
        floor.emplace(socket_address(proxies.floor->agent_socket()));
    constexpr int requests_a_block = 100;
    const auto block = [&](AgentConnection& connection) {
        return median(time_requests(connection, list_request, requests_a_block));
    };
    const Comparison comparison = interleave(
        [&] { return block(proxied); }, [&] { return block(direct); }, bench.rounds(400, 60),
        on_floor(proxies.floor, [&](const sockaddr_un&) { return block(*floor); }));
    bench.table.add(as_row(what, comparison, Unit::nanoseconds, target));
}

} // namespace

void measure_visits(Bench& bench) {
    const Proxies proxies{bench.proxy(), bench.floor()};
    compare_visits(bench, proxies, "connect+list+close, proxy", list_request,
                   {Bound::ratio_at_most, 1.95}, bench.rounds(400, 60));
    compare_visits(bench, proxies, "connect+sign+close, proxy, ed25519",
                   bench.site.sign_with_ed25519(), {Bound::ratio_at_most, 1.08},
                   bench.rounds(200, 40));
    compare_visits(bench, proxies, "connect+sign+close, proxy, RSA 3072",
                   bench.site.sign_with_rsa(), {}, bench.rounds(30, 6));
}

void measure_open(Bench& bench) {
    const Proxies proxies{bench.proxy(), bench.floor()};
    compare_requests(bench, proxies, "list on an open connection, proxy",
                     {Bound::ratio_at_most, 1.45});
}

// Whether client, proxy and agent share a processor or wake each other across two is the
// scheduler's whim, and up to a factor of three. These rows leave it no choice.
void measure_pinned(Bench& bench) {
    const OneProcessor one_processor(bench.site);
    const Proxies proxies{bench.proxy(), bench.floor()};
    compare_visits(bench, proxies, "all on one processor: connect+list+close, proxy", list_request,
                   {}, bench.rounds(400, 60));
    compare_visits(bench, proxies, "all on one processor: connect+sign+close, ed25519",
                   bench.site.sign_with_ed25519(), {}, bench.rounds(200, 40));
    compare_requests(bench, proxies, "all on one processor: list on an open connection", {});
}

} // namespace livesock::bench

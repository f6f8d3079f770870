// How many requests get through when many clients ask at once.
#include "tests/bench/failure.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/rows.hpp"

namespace livesock::bench {
namespace {

constexpr int crowds[] = {1, 8, 64, 256};

void compare_load(Bench& bench, const Subject& subject, const std::optional<Subject>& floor,
                  int clients, Visit visit, const std::string& name) {
    const sockaddr_un proxied = socket_address(subject.agent_socket());
    long errors = 0, direct_errors = 0, floor_errors = 0;
    const auto block = [&](const sockaddr_un& address, long& count) {
        const LoadResult result = run_load(address, clients, visit, std::chrono::milliseconds(200));
        count += result.errors;
        return result.requests_per_second;
    };
    const Comparison comparison = interleave(
        [&] { return block(proxied, errors); },
        [&] { return block(bench.site.agent(), direct_errors); }, bench.rounds(15, 4),
        on_floor(floor, [&](const sockaddr_un& address) { return block(address, floor_errors); }));
    Row row = as_row(name + ", " + std::to_string(clients) + " clients", comparison,
                     Unit::per_second, {Bound::ratio_at_least, 0.50});
    row.sound = errors == 0;
    row.note = std::to_string(errors) + " errors, direct " + std::to_string(direct_errors);
    bench.table.add(row);
}

} // namespace

void measure_throughput(Bench& bench) {
    const Subject subject = bench.proxy();
    const std::optional<Subject> floor = bench.floor();
    for (const int clients : crowds)
        compare_load(bench, subject, floor, clients, Visit::one_request_each,
                     "connect+list+close a second");
}

void measure_throughput_open(Bench& bench) {
    const Subject subject = bench.proxy();
    const std::optional<Subject> floor = bench.floor();
    for (const int clients : crowds)
        compare_load(bench, subject, floor, clients, Visit::stay_connected, "list a second, open");
}

} // namespace livesock::bench

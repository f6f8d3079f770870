// What livesockd takes while nothing happens, and what many idle clients cost it.
#include "tests/bench/failure.hpp"
#include "tests/bench/process_usage.hpp"
#include "tests/bench/rows.hpp"

#include <algorithm>
#include <memory>

#include <sys/resource.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

using Clients = std::vector<std::unique_ptr<AgentConnection>>;

void sleep_for(double seconds) {
    const double end = now_ns() + seconds * 1e9;
    while (now_ns() < end) {
        check_interrupted();
        usleep(50'000);
    }
}

Clients connect_many(const Subject& subject, int count) {
    const Deadline deadline(std::chrono::seconds(60));
    const sockaddr_un address = socket_address(subject.agent_socket());
    Clients clients;
    for (int i = 0; i < count; ++i)
        clients.push_back(std::make_unique<AgentConnection>(address));
    return clients;
}

/// Every `step`th client asks once.
void ask_some(const Clients& clients, std::size_t step) {
    const Deadline deadline(std::chrono::seconds(60));
    for (std::size_t i = 0; i < clients.size(); i += step)
        clients[i]->ask(list_request);
}

void add_memory_row(Bench& bench, const std::string& what, const Memory& memory, double limit) {
    bench.table.add({.what = what,
                     .measured = {memory.pss, Unit::bytes},
                     .target = {Bound::value_at_most, limit},
                     .note = "RSS " + format_value({memory.rss, Unit::bytes}) + ", private " +
                             format_value({memory.private_pages, Unit::bytes})});
}

/// As many clients as this process may have descriptors for, 10,000 at most.
int crowd_size() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t room = limit.rlim_max > 200 ? limit.rlim_max - 200 : 1;
    return static_cast<int>(std::min<rlim_t>(room, 10000));
}

double time_one(const sockaddr_un& address) {
    return median(time_visits(address, list_request, 20));
}

} // namespace

void measure_idle(Bench& bench) {
    constexpr double mib = 1024 * 1024;
    const Subject subject = bench.options.relay
                                ? Subject::relay(bench.site)
                                : Subject::livesockd_with_agent(bench.site, Discovery::on);
    sleep_for(1);
    add_memory_row(bench, "PSS, fresh", memory_of(subject.pid()), 2 * mib);

    const int length = bench.rounds(60, 10);
    const long before = sleeps_of(subject.pid());
    sleep_for(length);
    bench.table.add(
        {.what = "wake-ups while idle, one live agent, in " + std::to_string(length) + " s",
         .measured = {static_cast<double>(sleeps_of(subject.pid()) - before), Unit::count},
         .target = {Bound::value_at_most, 4}});

    ask_some(connect_many(subject, 256), 1);
    sleep_for(1);
    add_memory_row(bench, "PSS, after 256 clients came and went", memory_of(subject.pid()),
                   3 * mib);
}

void measure_crowd(Bench& bench) {
    const int count = crowd_size();
    const Subject subject = bench.proxy();
    const std::string crowd = std::to_string(count) + " idle clients";
    const Memory before = memory_of(subject.pid());
    Clients clients = connect_many(subject, count);
    sleep_for(1);
    const Memory held = memory_of(subject.pid());
    const int files = open_files_of(subject.pid());
    bench.table.add({.what = crowd + ": PSS for each",
                     .measured = {(held.pss - before.pss) / count, Unit::bytes},
                     .target = {Bound::value_at_most, 8 * 1024},
                     .note = "RSS " + format_value({(held.rss - before.rss) / count, Unit::bytes}) +
                             ", " + std::to_string(files) + " descriptors open"});

    const Deadline deadline(std::chrono::seconds(60));
    const sockaddr_un proxied = socket_address(subject.agent_socket());
    const Comparison further =
        interleave([&] { return time_one(proxied); }, [&] { return time_one(bench.site.agent()); },
                   bench.rounds(50, 10));
    bench.table.add(
        as_row(crowd + ": connect+list+close of a further one", further, Unit::nanoseconds, {}));
    const double begin = now_ns();
    ask_some(clients, 100);
    bench.table.add({.what = crowd + ": every hundredth asks, each waits",
                     .measured = {(now_ns() - begin) / (count / 100.0), Unit::nanoseconds}});

    clients.clear();
    sleep_for(2);
    const Memory after = memory_of(subject.pid());
    bench.table.add({.what = crowd + ": PSS kept after they left",
                     .measured = {std::max(after.pss - before.pss, 0.0), Unit::bytes},
                     .target = {Bound::value_at_most, 1024 * 1024},
                     .note = "of " + format_value({held.pss - before.pss, Unit::bytes})});
}

} // namespace livesock::bench

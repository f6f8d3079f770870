// What the shim costs the processes it is loaded into.
#include "tests/bench/failure.hpp"
#include "tests/bench/remote_client.hpp"
#include "tests/bench/rows.hpp"

#include <algorithm>

namespace livesock::bench {
namespace {

constexpr int visits_a_block = 50;

void compare_visits(Bench& bench, const std::string& what, const std::string& path,
                    const Subject& subject, double limit) {
    RemoteClient with(bench.site, path, shim_environment(bench.site, subject.directory()));
    RemoteClient without(bench.site, bench.site.agent_path(), {});
    const Comparison comparison =
        interleave([&] { return with.measure("list", visits_a_block); },
                   [&] { return without.measure("list", visits_a_block); }, bench.rounds(400, 60));
    bench.table.add(as_row(what, comparison, Unit::nanoseconds, {Bound::ratio_at_most, limit}));
}

/// Nanoseconds that the shim adds to one `what`. Where the loader happens to put things matters
/// at this scale, so that several pairs of processes are asked.
void compare_others(Bench& bench, const Subject& subject, const std::string& what,
                    const std::string& name) {
    constexpr int calls_a_block = 20000;
    std::vector<double> more, with_all, without_all;
    for (int pair = 0; pair < bench.rounds(15, 5); ++pair) {
        RemoteClient with(bench.site, bench.site.agent_path(),
                          shim_environment(bench.site, subject.directory()));
        RemoteClient without(bench.site, bench.site.agent_path(), {});
        const Comparison comparison =
            interleave([&] { return with.measure(what, calls_a_block); },
                       [&] { return without.measure(what, calls_a_block); }, 5);
        more.push_back(comparison.measured - comparison.direct);
        with_all.push_back(comparison.measured);
        without_all.push_back(comparison.direct);
    }
    bench.table.add({.what = "connect, none of the shim's business: " + name + ", more",
                     .measured = {median(more), Unit::nanoseconds},
                     .direct = Value{median(without_all), Unit::nanoseconds},
                     .target = {Bound::value_at_most, 20},
                     .note = format_value({percentile(more, 0.25), Unit::nanoseconds}) + " to " +
                             format_value({percentile(more, 0.75), Unit::nanoseconds}) +
                             " (quartiles over pairs of processes)"});
}

double time_exec(const Command& command, int count) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
        const double begin = now_ns();
        Process(command).wait();
        times.push_back(now_ns() - begin);
    }
    return median(times);
}

} // namespace

void measure_shim_live(Bench& bench) {
    const Subject subject = bench.proxy();
    compare_visits(bench, "connect+list+close, shim, path answers", bench.site.agent_path(),
                   subject, 1.02);
}

void measure_shim_stale(Bench& bench) {
    const Subject subject = bench.proxy();
    const ScratchDirectory session("/tmp", "ssh-");
    compare_visits(bench, "connect+list+close, shim, stale path", session.path() + "/agent.4711",
                   subject, 1.10);
    const std::string nobody = session.path() + "/agent.4712";
    {
        const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_un address = socket_address(nobody);
        if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            fail_with_errno("binding '" + nobody + "'");
    }
    compare_visits(bench, "connect+list+close, shim, stale path, name still there", nobody, subject,
                   1.10);
}

void measure_shim_exec(Bench& bench) {
    const Subject subject = bench.proxy();
    const std::string socket = "SSH_AUTH_SOCK=" + bench.site.agent_path();
    auto preload = shim_environment(bench.site, subject.directory());
    preload.push_back(socket);
    const Command with{.argv = {"/bin/true"}, .environment = bench.site.environment(preload)};
    const Command without{.argv = {"/bin/true"},
                          .environment = bench.site.environment({preload.back(), preload[1]})};
    constexpr int execs_a_block = 10;
    const Comparison comparison =
        interleave([&] { return time_exec(with, execs_a_block); },
                   [&] { return time_exec(without, execs_a_block); }, bench.rounds(300, 40));
    bench.table.add(as_row("exec of /bin/true, shim", comparison, Unit::nanoseconds,
                           {Bound::ratio_at_most, 1.05}));
}

void measure_shim_other(Bench& bench) {
    const Subject subject = bench.proxy();
    compare_others(bench, subject, "bad-fd", "EBADF");
    compare_others(bench, subject, "udp", "UDP");
    compare_others(bench, subject, "other-path", "another path");
}

} // namespace livesock::bench

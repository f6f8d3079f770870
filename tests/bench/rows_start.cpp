// How soon livesockd serves.
#include "tests/bench/failure.hpp"
#include "tests/bench/rows.hpp"

#include <unistd.h>

namespace livesock::bench {
namespace {

/// Starts `command` and returns how long it took until `path` accepted, in nanoseconds; then stops
/// it.
double time_start(const Command& command, const sockaddr_un& address) {
    const double begin = now_ns();
    Process process(command);
    while (true) {
        const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            break;
        if (now_ns() - begin > 5e9 || !process.running())
            throw Failure("'" + command.argv[0] + "' does not start");
        usleep(20);
    }
    const double elapsed = now_ns() - begin;
    if (!process.stop())
        throw Failure("'" + command.argv[0] + "' does not stop");
    return elapsed;
}

double time_run(const Command& command) {
    const double begin = now_ns();
    Process(command).wait();
    return now_ns() - begin;
}

} // namespace

void measure_start(Bench& bench) {
    const ScratchDirectory directory(bench.site.root(), "dir-");
    const std::string path = directory.path() + "/agent.sock";
    Command command = livesockd_command(bench.site, directory.path(), Discovery::on);
    Command nothing = command;
    nothing.argv = {command.argv[0], "--version"};
    if (bench.options.relay)
        command.argv = {bench.site.programs().relay, path, bench.site.agent_path()};
    std::vector<double> starts, loads;
    for (int i = 0; i < bench.rounds(200, 40); ++i) {
        check_interrupted();
        unlink(path.c_str());
        starts.push_back(time_start(command, socket_address(path)));
        if (!bench.options.relay)
            loads.push_back(time_run(nothing));
    }
    Row row{.what = "start until agent.sock accepts, median",
            .measured = {median(starts), Unit::nanoseconds},
            .target = {Bound::value_at_most, 3e6},
            .note = "p99 " + format_value({percentile(starts, 0.99), Unit::nanoseconds})};
    if (!loads.empty())
        row.note += ", --version " + format_value({median(loads), Unit::nanoseconds});
    bench.table.add(row);
}

} // namespace livesock::bench

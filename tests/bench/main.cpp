// livesock-bench: the figures of livesock beside those of a direct connection.
#include "tests/bench/failure.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/sandbox.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace livesock::bench {
namespace {

/// A group of rows: what it is called, what it cannot do without.
struct Group {
    const char* name;
    bool needs_livesockd;   ///< the relay cannot stand in
    bool needs_private_tmp; ///< would disturb, or be disturbed by, the others' /tmp
    void (*measure)(Bench&);
};

constexpr Group groups[] = {
    {"shim-live", false, false, measure_shim_live},
    {"shim-stale", false, false, measure_shim_stale},
    {"shim-exec", false, false, measure_shim_exec},
    {"shim-other", false, false, measure_shim_other},
    {"visit", false, false, measure_visits},
    {"open", false, false, measure_open},
    {"pinned", false, false, measure_pinned},
    {"throughput", false, false, measure_throughput},
    {"throughput-open", false, false, measure_throughput_open},
    {"signing", true, false, measure_signing},
    {"login", true, true, measure_login},
    {"churn", true, true, measure_churn},
    {"idle", false, false, measure_idle},
    {"start", false, false, measure_start},
    {"crowd", false, false, measure_crowd},
    {"dead-sessions", true, true, measure_dead_sessions}, // last: it leaves them in /tmp
};

void measure(const Group& group, Bench& bench, const Sandbox& sandbox) {
    if (!wanted(bench.options, group.name) || (bench.options.relay && group.needs_livesockd))
        return;
    if (group.needs_private_tmp && !sandbox.private_tmp)
        return bench.table.add_failure(group.name, sandbox.why_not);
    try {
        group.measure(bench);
    } catch (const std::exception& error) {
        bench.table.add_failure(group.name, error.what());
    }
}

int measure_all(const Options& options, const Sandbox& sandbox) {
    const Site site(options.programs, sandbox.private_tmp);
    Table table(options.json);
    Bench bench{options, site, table};
    for (const Group& group : groups) {
        if (interrupted())
            break;
        measure(group, bench, sandbox);
    }
    return table.finish() ? 0 : 1;
}

} // namespace

Subject Bench::proxy() const {
    return options.relay ? Subject::relay(site)
                         : Subject::livesockd_with_agent(site, Discovery::off);
}

std::optional<Subject> Bench::floor() const {
    return options.relay ? std::nullopt : std::optional(Subject::relay(site));
}

Block on_floor(const std::optional<Subject>& floor,
               const std::function<double(const sockaddr_un&)>& block) {
    if (!floor)
        return nullptr;
    return [block, address = socket_address(floor->agent_socket())] { return block(address); };
}

Row as_row(std::string what, const Comparison& comparison, Unit unit, Target target) {
    return {.what = std::move(what),
            .measured = {comparison.measured, unit},
            .direct = Value{comparison.direct, unit},
            .ratio = comparison.ratio,
            .low = comparison.low,
            .high = comparison.high,
            .floor = comparison.floor > 0 ? std::optional(comparison.floor) : std::nullopt,
            .target = target};
}

} // namespace livesock::bench

int main(int argc, char** argv) {
    using namespace livesock::bench;
    const Options options = parse_options(argc, argv);
    if (options.list) {
        for (const Group& group : groups)
            std::puts(group.name);
        return 0;
    }
    if (std::none_of(std::begin(groups), std::end(groups),
                     [&](const Group& group) { return wanted(options, group.name); })) {
        std::fputs("livesock-bench: --only names no group; --list shows them\n", stderr);
        return 2;
    }
    const Sandbox sandbox = enter_sandbox();
    catch_signals();
    if (options.precedence && !take_precedence())
        std::fputs("livesock-bench: no precedence for us, going on without (it takes root)\n",
                   stderr);
    try {
        return measure_all(options, sandbox);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "livesock-bench: %s\n", error.what());
        return 1;
    }
}

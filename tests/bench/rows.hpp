// The rows of the table, in groups that share a set-up. Each function adds its rows or throws
// Failure; what it started is gone when it returns either way.
#pragma once

#include "tests/bench/options.hpp"
#include "tests/bench/site.hpp"
#include "tests/bench/statistics.hpp"
#include "tests/bench/subject.hpp"
#include "tests/bench/table.hpp"

namespace livesock::bench {

/// What every group works with.
struct Bench {
    const Options& options;
    const Site& site;
    Table& table;

    /// The proxy to measure, in front of the site's agent: livesockd, or the relay if asked for.
    [[nodiscard]] Subject proxy() const;

    /// The relay in front of the site's agent, to be measured beside livesockd; none if it is what
    /// is measured.
    [[nodiscard]] std::optional<Subject> floor() const;

    /// `full`, or with --quick `quick`.
    [[nodiscard]] int rounds(int full, int quick) const { return options.quick ? quick : full; }
};

/// `block`, for the address of `floor`; nothing if there is none.
[[nodiscard]] Block on_floor(const std::optional<Subject>& floor,
                             const std::function<double(const sockaddr_un&)>& block);

/// `comparison` as a row.
[[nodiscard]] Row as_row(std::string what, const Comparison& comparison, Unit unit, Target target);

void measure_shim_live(Bench& bench);
void measure_shim_stale(Bench& bench);
void measure_shim_exec(Bench& bench);
void measure_shim_other(Bench& bench);
void measure_visits(Bench& bench);
void measure_open(Bench& bench);
void measure_pinned(Bench& bench);
void measure_throughput(Bench& bench);
void measure_throughput_open(Bench& bench);
void measure_signing(Bench& bench);
void measure_login(Bench& bench);
void measure_dead_sessions(Bench& bench);
void measure_churn(Bench& bench);
void measure_idle(Bench& bench);
void measure_start(Bench& bench);
void measure_crowd(Bench& bench);

} // namespace livesock::bench

// Figures that stand up on a shared, noisy machine: medians and percentiles, and two things
// compared in turns.
#pragma once

#include <functional>
#include <vector>

namespace livesock::bench {

/// The value below which `share` (0 to 1) of `samples` lie, by nearest rank; 0 if there are none.
[[nodiscard]] double percentile(std::vector<double> samples, double share);

[[nodiscard]] double median(std::vector<double> samples);

/// Two things measured in turns. All three figures are medians over the rounds.
struct Comparison {
    double measured = 0;
    double direct = 0;
    double ratio = 0; ///< median of the rounds' own ratios, not the ratio of the medians
    double low = 0;   ///< a quarter of the rounds had a ratio below this one ...
    double high = 0;  ///< ... and a quarter one above this
    double floor = 0; ///< the floor's ratio, where there is a floor
};

/// Runs one short block and returns its figure.
using Block = std::function<double()>;

/// Runs `measured` and `direct` one after the other, `rounds` times, changing who goes first, after
/// one round that does not count. What disturbs the machine for longer than a block disturbs both.
/// A `floor` takes its turn in the same rounds.
[[nodiscard]] Comparison interleave(const Block& measured, const Block& direct, int rounds,
                                    const Block& floor = nullptr);

/// The time now, in nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] double now_ns();

} // namespace livesock::bench

#include "tests/bench/statistics.hpp"

#include "tests/bench/failure.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <time.h>

namespace livesock::bench {

double percentile(std::vector<double> samples, double share) {
    if (samples.empty())
        return 0;
    const double rank = std::ceil(share * static_cast<double>(samples.size()));
    const auto index = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
    std::nth_element(samples.begin(), samples.begin() + index, samples.end());
    return samples[static_cast<std::size_t>(index)];
}

double median(std::vector<double> samples) {
    return percentile(std::move(samples), 0.5);
}

Comparison interleave(const Block& measured, const Block& direct, int rounds, const Block& floor) {
    enum { ours, theirs, least };
    const std::array<const Block*, 3> blocks{&measured, &direct, &floor};
    const int count = floor ? 3 : 2;
    std::array<std::vector<double>, 3> figures;
    std::vector<double> ratios, floor_ratios;
    for (int round = 0; round <= rounds; ++round) {
        check_interrupted();
        std::array<double, 3> now{};
        for (int turn = 0; turn < count; ++turn) {
            const auto who = static_cast<std::size_t>((round + turn) % count);
            now[who] = (*blocks[who])();
        }
        if (round == 0)
            continue;
        for (std::size_t who = 0; who < now.size(); ++who)
            figures[who].push_back(now[who]);
        ratios.push_back(now[ours] / now[theirs]);
        floor_ratios.push_back(now[least] / now[theirs]);
    }
    return {.measured = median(figures[ours]),
            .direct = median(figures[theirs]),
            .ratio = median(ratios),
            .low = percentile(ratios, 0.25),
            .high = percentile(ratios, 0.75),
            .floor = median(floor_ratios)};
}

double now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

} // namespace livesock::bench

#include "tests/bench/statistics.hpp"

#include "tests/bench/failure.hpp"

#include <algorithm>
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

Comparison interleave(const Block& measured, const Block& direct, int rounds) {
    std::vector<double> ours, theirs, ratios;
    for (int round = 0; round <= rounds; ++round) {
        check_interrupted();
        double one = 0, other = 0;
        if (round % 2 == 0) {
            one = measured();
            other = direct();
        } else {
            other = direct();
            one = measured();
        }
        if (round == 0)
            continue;
        ours.push_back(one);
        theirs.push_back(other);
        ratios.push_back(one / other);
    }
    return {.measured = median(ours),
            .direct = median(theirs),
            .ratio = median(ratios),
            .low = percentile(ratios, 0.25),
            .high = percentile(ratios, 0.75)};
}

double now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

} // namespace livesock::bench

// What the signing endpoint has done, for Prometheus.
#pragma once

#include "supervisor/base/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace livesock {

/// How many agents there are in each state.
struct AgentCounts {
    std::size_t fresh = 0;
    std::size_t live = 0;
    std::size_t late = 0;
    std::size_t hung = 0;
    std::size_t dead = 0;

    /// There are agents, but those that do not answer.
    bool only_silent() const { return live == 0 && late + hung > 0; }
};

/// Counts of one listener, since it was opened.
class SigningMetrics {
  public:
    /// A request was answered with `status`.
    void answered(int status) { ++answers_[status]; }
    /// A signature took so long, from the last byte of the request.
    void signed_in(Duration took);

    std::uint64_t good() const;
    std::uint64_t refused() const;
    std::uint64_t signatures() const { return signatures_; }

    /// Upper bounds of the durations that are told apart, in seconds.
    static constexpr std::array<double, 8> bounds = {0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30};

    const std::map<int, std::uint64_t>& answers() const { return answers_; }
    const std::array<std::uint64_t, bounds.size()>& buckets() const { return buckets_; }
    double seconds() const { return seconds_; }

  private:
    std::map<int, std::uint64_t> answers_;
    std::array<std::uint64_t, bounds.size()> buckets_{}; // not cumulative
    std::uint64_t signatures_ = 0;
    double seconds_ = 0;
};

/// The text format of Prometheus (version 0.0.4), with the listener's name as a label.
[[nodiscard]] std::string to_prometheus(const SigningMetrics& metrics, std::string_view listener,
                                        std::size_t in_progress, const AgentCounts& agents);

} // namespace livesock

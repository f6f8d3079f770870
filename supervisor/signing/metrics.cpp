#include "supervisor/signing/metrics.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr int first_refusal = 400;

/// A label's value: backslash, quote and line feed are escaped.
std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '\\' || c == '"')
            result += '\\';
        if (c == '\n')
            result += "\\n";
        else
            result += c;
    }
    return result + '"';
}

void describe(std::string& text, std::string_view name, std::string_view type,
              std::string_view help) {
    fmt::format_to(std::back_inserter(text), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

} // namespace

void SigningMetrics::signed_in(Duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto bound = std::lower_bound(bounds.begin(), bounds.end(), seconds);
    if (bound != bounds.end())
        ++buckets_[static_cast<std::size_t>(bound - bounds.begin())];
    ++signatures_;
    seconds_ += seconds;
}

std::uint64_t SigningMetrics::good() const {
    std::uint64_t count = 0;
    for (const auto& [status, answers] : answers_)
        count += status < first_refusal ? answers : 0;
    return count;
}

std::uint64_t SigningMetrics::refused() const {
    std::uint64_t count = 0;
    for (const auto& [status, answers] : answers_)
        count += status < first_refusal ? 0 : answers;
    return count;
}

std::string to_prometheus(const SigningMetrics& metrics, std::string_view listener,
                          std::size_t in_progress, const AgentCounts& agents) {
    const std::string label = quoted(listener);
    std::string text;
    const auto out = std::back_inserter(text);
    describe(text, "livesock_signing_requests_total", "counter",
             "Requests by the status answered.");
    for (const auto& [status, count] : metrics.answers())
        fmt::format_to(out, "livesock_signing_requests_total{{listener={},code=\"{}\"}} {}\n",
                       label, status, count);
    describe(text, "livesock_signing_duration_seconds", "histogram", "Time to make a signature.");
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < SigningMetrics::bounds.size(); ++i)
        fmt::format_to(out,
                       "livesock_signing_duration_seconds_bucket{{listener={},le=\"{}\"}} {}\n",
                       label, SigningMetrics::bounds[i], below += metrics.buckets()[i]);
    fmt::format_to(out,
                   "livesock_signing_duration_seconds_bucket{{listener={0},le=\"+Inf\"}} {1}\n"
                   "livesock_signing_duration_seconds_sum{{listener={0}}} {2}\n"
                   "livesock_signing_duration_seconds_count{{listener={0}}} {1}\n",
                   label, metrics.signatures(), metrics.seconds());
    describe(text, "livesock_signing_in_progress", "gauge", "Requests that wait for the agent.");
    fmt::format_to(out, "livesock_signing_in_progress{{listener={}}} {}\n", label, in_progress);
    describe(text, "livesock_agents", "gauge", "Agents by state.");
    for (const auto& [state, count] :
         {std::pair("new", agents.fresh), std::pair("live", agents.live),
          std::pair("late", agents.late), std::pair("hung", agents.hung),
          std::pair("dead", agents.dead)})
        fmt::format_to(out, "livesock_agents{{state=\"{}\"}} {}\n", state, count);
    return text;
}

} // namespace livesock

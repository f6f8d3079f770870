// What `watch` shows. Pure text.
#pragma once

#include "tools/answers.hpp"
#include "tools/print.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace livesock {

/// What the view depends on besides the supervisor's answer.
struct WatchContext {
    std::int64_t now = 0;        ///< seconds since the epoch
    std::int64_t utc_offset = 0; ///< of the times that are shown, in seconds
    std::size_t rows = 0;        ///< of the terminal; 0: as many as there are
    bool has_blocks = false;     ///< the terminal can show U+2581 to U+2588
};

/// The view, line by line, none longer than the terminal is wide: a sentence that says whether
/// things work; the agents with their last round trips and who uses them; the stand-ins; the
/// requests that were answered last, the latest first, as many as there is room for.
[[nodiscard]] std::vector<std::string> watch_lines(const WatchReport& report, const View& view,
                                                   const WatchContext& context);

/// Why there is no news, in red, above what was known before; none for an empty `problem`.
[[nodiscard]] std::vector<std::string> problem_lines(const std::string& problem, const View& view);

/// What has happened between two answers, a line each: agents that came, went or changed their
/// state, another one that is used, stand-ins, and requests. `before` is null for the first.
[[nodiscard]] std::vector<std::string> news_lines(const WatchReport* before,
                                                  const WatchReport& report, const View& view,
                                                  const WatchContext& context);

/// One character for each of `values`, the higher the greater it is; at most the last `most`.
[[nodiscard]] std::string sparkline(const std::vector<double>& values, std::size_t most,
                                    bool has_blocks);

} // namespace livesock

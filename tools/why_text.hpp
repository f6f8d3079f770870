// What `why` tells: the story of the requests that failed last. Pure text.
#pragma once

#include "tools/answers.hpp"
#include "tools/print.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace livesock {

/// What the stories depend on besides the failures.
struct WhyContext {
    std::int64_t now = 0;     ///< seconds since the epoch
    std::string login = {};   ///< login_command()
    StatusReport status = {}; ///< how things are now
};

/// One paragraph a failure, the latest first, those that repeat each other as one, and a
/// session-bind as one with what its client wanted then: when, who wanted what, which agents were
/// asked and what came of it, what to do; each ends in a command to type.
[[nodiscard]] std::string why_text(const std::vector<FailureReport>& failures,
                                   const WhyContext& context, const View& view);

} // namespace livesock

// What another program says.
#pragma once

#include "supervisor/base/clock.hpp"

#include <optional>
#include <string>
#include <vector>

namespace livesock {

/// What came of running a program to its end.
struct Outcome {
    int status = 0;   ///< what it exited with
    std::string text; ///< what it wrote, its last newline taken off
};

enum class OutputStream { output, error };

/// What the program `words` writes on its standard output, or standard error. Nothing if it cannot
/// be started, is ended by a signal, or takes longer than `limit`: then it is killed.
[[nodiscard]] std::optional<Outcome> outcome_of(const std::vector<std::string>& words,
                                                OutputStream stream, Duration limit);

/// What it writes on its standard output. Nothing unless it exits with 0.
[[nodiscard]] std::optional<std::string> output_of(const std::vector<std::string>& words,
                                                   Duration limit);

} // namespace livesock

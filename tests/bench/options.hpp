// The words on livesock-bench's command line.
#pragma once

#include "tests/bench/site.hpp"

#include <string>
#include <vector>

namespace livesock::bench {

struct Options {
    bool quick = false; ///< fewer rounds and shorter waits: for seeing that it works
    bool json = false;
    bool relay = false;            ///< the relay in livesockd's place, where that makes sense
    bool precedence = false;       ///< ahead of what else the machine does
    bool list = false;             ///< names of the groups of rows, and nothing else
    std::vector<std::string> only; ///< groups whose name holds one of these; none: all
    Programs programs;
};

/// Reads the command line. Exits with 0 after --help, with 2 when the words are wrong.
[[nodiscard]] Options parse_options(int argc, char** argv);

/// Whether the group called `name` is asked for.
[[nodiscard]] bool wanted(const Options& options, const std::string& name);

} // namespace livesock::bench

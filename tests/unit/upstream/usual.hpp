// What most tests of agents begin with.
#pragma once

#include "supervisor/upstream/settings.hpp"
#include "tests/support/fake_agent.hpp"

#include <string>

namespace livesock {

/// With these nothing happens by itself while a test runs.
inline constexpr ProbeSettings slow{.interval = std::chrono::hours(1),
                                    .timeout = std::chrono::hours(1),
                                    .hung_after = std::chrono::hours(1)};

inline const Identity ann{make_blob('a'), "ann@desk"};

/// What the ends of a connection across a network share.
inline const std::string token(32, 't');

} // namespace livesock

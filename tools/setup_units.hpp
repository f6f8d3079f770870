// The files that `livesock setup systemd` writes for the user's service manager.
#pragma once

#include "tools/setup_parts.hpp"

namespace livesock {

/// environment.d(5), what has the units started, and the units themselves where the service manager
/// does not find those of the installation. Error: a path that cannot be written there.
[[nodiscard]] Result<std::vector<PlannedFile>> unit_files(const Surroundings& around);

/// All that unit_files() may have written.
[[nodiscard]] std::vector<std::string> possible_unit_files(const Surroundings& around);

} // namespace livesock

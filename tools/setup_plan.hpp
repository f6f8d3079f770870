// What `livesock setup` is going to do: every file as it is, and as it shall be.
#pragma once

#include "tools/setup_file.hpp"
#include "tools/setup_parts.hpp"

#include <optional>
#include <string>
#include <vector>

namespace livesock {

/// One file that is going to be another one.
struct Change {
    SetupFile file;
    std::optional<std::string> text; ///< none: the file is removed
    std::size_t directories = 0;     ///< and that many directories above it, if they are empty
    bool is_first = false;           ///< there was no section before: a backup is kept
    std::string remark;              ///< what one should know about it; may be empty
};

/// Changes, and what was found besides, in words.
struct Plan {
    std::vector<Change> changes;
    std::vector<std::string> obstacles; ///< what has to be done by hand
    std::vector<std::string> remarks;   ///< what is as it should be
};

/// What sets up `parts`.
[[nodiscard]] Plan plan_setup(const std::vector<Part>& parts, const Surroundings& around);

/// What takes every section of `parts` away.
[[nodiscard]] Plan plan_undo(const std::vector<Part>& parts, const Surroundings& around);

} // namespace livesock

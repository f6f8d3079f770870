// Reading a file that the user, and nobody else, can have written.
#pragma once

#include "supervisor/base/result.hpp"

#include <cstddef>
#include <string>

namespace livesock {

/// What is in the file at `path`; of one that is larger than `limit`, some bytes more than that.
/// It must be a regular file, or a link to one, of this user or root that not everybody may write
/// to. Never waits for a writer. Error::code is ENOENT or ENOTDIR where there is nothing.
[[nodiscard]] Result<std::string> read_settings_file(const std::string& path, std::size_t limit);

} // namespace livesock

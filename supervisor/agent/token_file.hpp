// The file with the token of a connection over a network.
#pragma once

#include "supervisor/base/result.hpp"

#include <string>

namespace livesock {

/// The token in the file at `path`, without white space at its end. It must be a regular file, or a
/// link to one, of this user or root that nobody else may read or write, and hold one line of
/// shortest_token to longest_token printable ASCII characters. Never waits for a writer. The error
/// says what to do.
[[nodiscard]] Result<std::string> read_token(const std::string& path);

} // namespace livesock

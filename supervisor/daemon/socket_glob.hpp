// The patterns and paths by which a user names agent sockets.
#pragma once

#include "supervisor/base/result.hpp"

#include <string>
#include <string_view>

namespace livesock {

/// `path` as a glob(7) pattern that matches it and nothing else.
[[nodiscard]] std::string literal_glob(std::string_view path);

/// `pattern` (glob(7)) as an absolute one: a leading "~/" becomes the directory `home` (empty:
/// unknown), taken literally. Nothing else is expanded; what a shell would expand, "$NAME" and
/// "~user", is an error and never guessed at. The message says what was expected instead.
[[nodiscard]] Result<std::string> absolute_glob(std::string_view pattern, const std::string& home);

/// `path`, which is no pattern, as an absolute one, by the same rules. Wildcards are an error.
[[nodiscard]] Result<std::string> absolute_path(std::string_view path, const std::string& home);

} // namespace livesock

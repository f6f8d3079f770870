// The process behind a client of the proxy, and those that started it.
#pragma once

#include <span>
#include <string>

#include <sys/types.h>

namespace livesock {

/// Whether `pid` works in the background for one of `programs`: it has no controlling terminal, and
/// it or a process that started it runs one of them. False where /proc does not say.
[[nodiscard]] bool is_background_of(pid_t pid, std::span<const std::string> programs);

} // namespace livesock

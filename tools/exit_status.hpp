// The exit status of livesock(1).
#pragma once

namespace livesock {

inline constexpr int exit_done = 0;
/// The answer is no: no live agent, nothing found, a configuration that is refused.
inline constexpr int exit_no = 1;
/// No supervisor, or the words are wrong.
inline constexpr int exit_unusable = 2;
/// `run`: the command cannot be executed, or does not exist; as in env(1).
inline constexpr int exit_not_executable = 126;
inline constexpr int exit_not_found = 127;

} // namespace livesock

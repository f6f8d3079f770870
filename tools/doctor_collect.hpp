// Collects what `doctor` examines: from the environment, /proc, the supervisor, tmux, and files.
#pragma once

#include "tools/doctor_facts.hpp"

#include <string>

namespace livesock {

/// More processes are not looked at.
inline constexpr std::size_t most_processes = 4096;

/// Everything. It asks other programs, each no longer than its limit: where not one of them
/// answers, it takes no longer than ten seconds, however many there are.
[[nodiscard]] DoctorFacts collect_facts();

// The parts of it.

/// The runtime directory: that `in_use` by the supervisor; where that is empty, the one in which a
/// supervisor would begin.
[[nodiscard]] DirectoryState collect_directory(const std::string& in_use);
/// A name beside `path` that is free.
[[nodiscard]] std::string free_name(const std::string& path);
/// Has livesockd check the configuration `in_force`; the one that it would read where that is
/// empty.
[[nodiscard]] ConfigFacts collect_config(const std::string& in_force);
/// The preloads that this process was started with.
[[nodiscard]] PreloadState collect_preload();
/// Those programs in PATH that are known to ask agents.
[[nodiscard]] std::vector<AgentProgram> collect_programs();
/// The user's tmux servers. `directory` is that of the supervisor. Servers, sessions and panes that
/// it has not come to after three seconds are left out.
[[nodiscard]] std::vector<TmuxServer> collect_tmux(const std::string& directory);
[[nodiscard]] LoginState collect_login(const std::string& home);
/// Those in the usual places, and those that processes name; of the processes that may be asked.
[[nodiscard]] std::vector<LeftShim> collect_left_shims(const std::string& home);
[[nodiscard]] SystemState collect_system(const std::string& user, const std::string& home);

} // namespace livesock

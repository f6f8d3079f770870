// Which tmux(1) servers this user has.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// More servers are not looked for.
inline constexpr std::size_t most_tmux_servers = 16;

/// The paths at which the sockets with the numbers `inodes` listen, by `text`, which is a
/// /proc/net/unix (proc(5)). Pure.
[[nodiscard]] std::vector<std::string> listening_paths(std::string_view text,
                                                       const std::set<std::uint64_t>& inodes);

/// The sockets of the tmux servers of this user that run, each once: that of this terminal first,
/// then those with a name (`tmux -L`), the usual one before the others, then those which processes
/// have elsewhere (`tmux -S`). See own_socket_at(): tmux obeys what its server says, so nobody
/// else's are among them, nor one that somebody else could put his in place of.
[[nodiscard]] std::vector<std::string> tmux_sockets();

} // namespace livesock

// The names of the entries in the runtime directory ($DIR). What the supervisor knows is reported
// by the file system: these names are the whole interface between the supervisor, the shim and the
// command line (livesock-protocol(7)). The only header of preload/ that other layers include.
#pragma once

namespace livesock {

/// The stable agent socket: the proxy listens here, SSH_AUTH_SOCK is set to it.
inline constexpr char agent_socket_name[] = "agent.sock";

/// Symlink to the agent socket that is live now; absent while there is none.
inline constexpr char live_link_name[] = "live";

/// The socket that livesock(1) talks to: one JSON object a line, each way.
inline constexpr char control_socket_name[] = "control.sock";

/// The private ssh-agent with the keys of ~/.ssh, where that is one of the fallbacks: "keys." and the
/// pid of its supervisor, for while one takes the place of another each has its own.
inline constexpr char keys_socket_prefix[] = "keys.";

/// flock()ed by the one supervisor of this directory.
inline constexpr char lock_name[] = "lock";

/// The supervisor's log, where it was started with --daemon.
inline constexpr char log_name[] = "log";

/// Names the runtime directory to the shim and to every program of livesock.
inline constexpr char directory_variable[] = "LIVESOCK_DIR";

} // namespace livesock

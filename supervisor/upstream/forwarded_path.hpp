// Where the sockets of forwarded agents lie: the only paths at which livesock makes anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// The directories below which a path is looked at. Those that are empty hold none.
struct ForwardedPlaces {
    std::string tmp = "/tmp"; ///< ssh-*/agent.* and vscode-ssh-auth-*
    std::string home;         ///< .ssh/agent/s.*.sshd.*
    std::string runtime;      ///< $XDG_RUNTIME_DIR: vscode-ssh-auth-*
};

enum class PlaceKind {
    session, ///< a directory that sshd makes for one login: it comes and goes with the socket
    kept,    ///< ~/.ssh/agent and $XDG_RUNTIME_DIR: the user's own, and they stay
    shared,  ///< /tmp itself: everybody writes there, and nobody touches what is another's (sticky)
};

/// A path that has a forwarded agent socket's shape, in its parts.
struct ForwardedPath {
    PlaceKind kind = PlaceKind::kept;
    std::string directory;
    std::string name;

    std::string path() const { return directory + '/' + name; }
};

/// What a hung agent's socket is called while a stand-in has its name: that, and this.
inline constexpr std::string_view aside_suffix = ".hung";

/// `path` as one of the shapes that the shim redirects (liblivesock(7)), below `places`. Nothing if
/// it has another shape, is too long for an address, has control characters, or ends in
/// aside_suffix.
[[nodiscard]] std::optional<ForwardedPath> parse_forwarded(const ForwardedPlaces& places,
                                                           std::string_view path);

} // namespace livesock

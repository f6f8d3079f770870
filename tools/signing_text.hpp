// What `livesock signing expose` prints. Pure functions of the supervisor's answer.
#pragma once

#include "tools/answers.hpp"

#include <string>

namespace livesock {

/// What is on this host.
struct ExposingHost {
    std::string home;   ///< this user's
    std::string script; ///< the path of livesock-sign
};

/// The directory that the container gets for `listener`; empty where it is no Unix socket.
[[nodiscard]] std::string mounted_directory(const SigningReport& listener);

/// Everything that a container needs to use `listener`, as shell commands with remarks.
[[nodiscard]] std::string expose_text(const SigningReport& listener, const ExposingHost& host);

/// The same as the members of a devcontainer.json.
[[nodiscard]] std::string expose_devcontainer(const SigningReport& listener,
                                              const ExposingHost& host);

} // namespace livesock

// What the user can set about a signing listener (livesock.toml(5), [[signing]]).
#pragma once

#include "supervisor/http/access.hpp"
#include "supervisor/http/address.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace livesock {

struct SigningSettings {
    std::string name{}; ///< for `livesock signing`; its address where none is given
    ListenAddress listen{};
    std::vector<std::string> namespaces{"git"}; ///< the first is what is signed for by default
    std::vector<std::string> keys{};            ///< fingerprints; empty: all that the agent has
    AccessSettings access{};
    std::size_t max_body = 16 * 1024 * 1024;
    std::size_t rate = 600;                    ///< requests to sign, or for the key, in a minute
    std::chrono::milliseconds timeout{30'000}; ///< of the agent

    bool operator==(const SigningSettings&) const = default;
};

} // namespace livesock

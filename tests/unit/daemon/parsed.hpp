// What the configuration's tests ask of it.
#pragma once

#include "supervisor/daemon/config.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace livesock {

inline Result<Config> parse(std::string_view text) {
    return parse_config(text, "livesock.toml", "/home/ann");
}

inline Config accepted_config(std::string_view text) {
    Result<Config> config = parse(text);
    REQUIRE_MESSAGE(config.ok(), (config.ok() ? "" : config.error().message));
    return std::move(*config);
}

/// Checks that `text` is refused at `place` for what `part` says.
inline void check_refused(std::string_view text, const std::string& place, std::string_view part) {
    const Result<Config> config = parse(text);
    REQUIRE_MESSAGE(!config.ok(), text);
    const std::string& message = config.error().message;
    CHECK_MESSAGE(message.starts_with("livesock.toml:" + place), message);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

} // namespace livesock

// What the configuration's tests ask of it.
#pragma once

#include "supervisor/daemon/config.hpp"
#include "tests/support/contains.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace livesock {

inline const std::string some_key = "SHA256:" + std::string(43, 'a');

inline Result<Config> parse(std::string_view text) {
    return parse_config(text, "livesock.toml", "/home/ann");
}

inline Config accepted_config(std::string_view text) {
    Result<Config> config = parse(text);
    REQUIRE_MESSAGE(config.ok(), (config.ok() ? "" : config.error().message));
    return std::move(*config);
}

inline std::string refused(std::string_view text) {
    const Result<Config> config = parse(text);
    REQUIRE_MESSAGE(!config.ok(), text);
    return config.error().message;
}

/// Checks that `text` is refused at `place` ("LINE:COLUMN" or "LINE:") for what `parts` say.
inline void check_refused(std::string_view text, const std::string& place,
                          std::initializer_list<std::string_view> parts) {
    const std::string message = refused(text);
    CHECK_MESSAGE(message.starts_with("livesock.toml:" + place), message);
    for (const std::string_view part : parts)
        CHECK_MESSAGE(contains(message, part), message, " lacks: ", part);
    CHECK_MESSAGE(!contains(message, "\n"), message);
}

inline void check_refused(std::string_view text, const std::string& place, std::string_view part) {
    check_refused(text, place, {part});
}

} // namespace livesock

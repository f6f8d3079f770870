// Members of the control protocol's requests (livesock-protocol(7)).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace livesock {

/// The string member `name` of `request`; empty if there is none.
[[nodiscard]] std::string text_of(const nlohmann::json& request, const char* name);

/// The milliseconds that the number `name` of `request` is, from 0 to `most`; nothing if there is
/// none.
[[nodiscard]] std::optional<std::chrono::milliseconds>
duration_of(const nlohmann::json& request, const char* name, std::chrono::milliseconds most);

} // namespace livesock

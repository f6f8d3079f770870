#include "supervisor/control/request.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace livesock {

std::string text_of(const nlohmann::json& request, const char* name) {
    const auto member = request.find(name);
    return member != request.end() && member->is_string() ? member->get<std::string>()
                                                          : std::string();
}

std::optional<std::chrono::milliseconds>
duration_of(const nlohmann::json& request, const char* name, std::chrono::milliseconds most) {
    const auto member = request.find(name);
    if (member == request.end() || !member->is_number())
        return std::nullopt;
    // A double may be beyond every integer, and no number.
    const auto wanted = member->get<double>();
    const auto limit = static_cast<double>(most.count());
    return std::chrono::milliseconds(
        static_cast<long long>(wanted > 0 ? std::min(wanted, limit) : 0.0));
}

} // namespace livesock

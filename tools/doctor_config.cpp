// What `doctor` knows about the configuration.
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/locate.hpp"
#include "tools/output_of.hpp"
#include "tools/print.hpp"

#include <cerrno>
#include <charconv>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr auto check_patience = 2s;
constexpr const char* config_variable = "LIVESOCK_CONFIG";

/// The line that a message "PATH:LINE:COLUMN: ..." is about; 0 if it is none.
std::int64_t line_in(std::string_view message, const std::string& path) {
    std::int64_t line = 0;
    const std::string start = escaped(path) + ':';
    if (message.starts_with(start)) {
        message.remove_prefix(start.size());
        std::from_chars(message.data(), message.data() + message.size(), line);
    }
    return line;
}

bool is_ours(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

/// The first directory on the way to `path` that may not be entered; empty if there is none.
std::string barrier_before(const std::filesystem::path& path) {
    std::filesystem::path way;
    for (const std::filesystem::path& part : path.parent_path()) {
        way /= part;
        if (::access(way.c_str(), X_OK) != 0 && errno == EACCES)
            return way;
    }
    return {};
}

/// Why the file is not even read, where it `is_in_force` or not.
ConfigState state_of(const ConfigFacts& config, bool is_in_force) {
    struct stat status {};
    if (!config.barrier.empty() && is_ours(config.barrier))
        return ConfigState::closed;
    const bool is_there = ::stat(config.path.c_str(), &status) == 0;
    if (is_there && S_ISREG(status.st_mode) && is_ours(config.path))
        return ConfigState::unusable;
    const bool is_named = !environment(config_variable).empty();
    if (is_there && (is_in_force || !is_named))
        return ConfigState::misplaced;
    if (is_named || config.path != default_config_path())
        return ConfigState::misnamed;
    return is_in_force && config.barrier.empty() ? ConfigState::gone : ConfigState::unknown;
}

} // namespace

ConfigFacts collect_config(const std::string& in_force) {
    std::string path = in_force.empty() ? environment(config_variable) : in_force;
    std::vector<std::string> words{locate().supervisor, "--check-config"};
    struct stat status {};
    std::error_code ignored;
    if (path.empty()) {
        path = default_config_path();
        if (::stat(path.c_str(), &status) != 0 && errno != EACCES)
            return {};
    } else {
        path = std::filesystem::absolute(path, ignored).string();
        words.insert(words.end(), {"--config", path});
    }
    ConfigFacts config{.path = path, .state = ConfigState::right, .barrier = barrier_before(path)};
    const std::optional<Outcome> outcome = outcome_of(words, OutputStream::error, check_patience);
    if (outcome && outcome->status == 0)
        return config;
    // Others may have spoken before it, as ld.so(8) does of a preload that is missing.
    constexpr std::string_view speaker = "livesockd: ";
    for (const std::string& line : lines_of(outcome ? outcome->text : std::string()))
        if (line.starts_with(speaker))
            config.problem = printable(line.substr(speaker.size()));
    if (config.problem.empty())
        config.state = ConfigState::unknown;
    else if (config.line = line_in(config.problem, path); config.line > 0)
        config.state = ConfigState::wrong;
    else
        config.state = state_of(config, !in_force.empty());
    if (config.state == ConfigState::misplaced)
        config.spare = free_name(path);
    return config;
}

} // namespace livesock

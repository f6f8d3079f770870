// What `doctor` knows about the configuration.
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/locate.hpp"
#include "tools/output_of.hpp"
#include "tools/print.hpp"

#include <charconv>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr auto check_patience = 2s;

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

/// Why the file at `path` is not even read.
ConfigState state_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return ConfigState::missing;
    const bool is_ours = status.st_uid == ::geteuid();
    return S_ISREG(status.st_mode) && is_ours ? ConfigState::unusable : ConfigState::misplaced;
}

} // namespace

ConfigFacts collect_config(const std::string& in_force) {
    std::string path = in_force.empty() ? environment("LIVESOCK_CONFIG") : in_force;
    std::vector<std::string> words{locate().supervisor, "--check-config"};
    struct stat status {};
    std::error_code ignored;
    if (path.empty()) {
        path = default_config_path();
        if (::stat(path.c_str(), &status) != 0)
            return {};
    } else {
        path = std::filesystem::absolute(path, ignored).string();
        words.insert(words.end(), {"--config", path});
    }
    ConfigFacts config{.path = path, .state = ConfigState::right};
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
        config.state = state_of(path);
    if (config.state == ConfigState::misplaced)
        config.spare = free_name(path);
    return config;
}

} // namespace livesock

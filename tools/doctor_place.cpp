// The checks of what is close at hand: the supervisor, its directory, its configuration.
#include "supervisor/base/escape.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/phrases.hpp"

#include <fmt/format.h>

namespace livesock {
namespace {

std::string move_away(const DoctorFacts& facts, const std::string& path, const std::string& spare) {
    return fmt::format("mv {} {}", quoted_word(facts.shell, path), quoted_word(facts.shell, spare));
}

/// What has a supervisor find its directory as it has to be; empty if it is.
std::string directory_cure(const DoctorFacts& facts) {
    const DirectoryState& directory = facts.directory;
    switch (directory.fault) {
    case DirectoryFault::none:
        break;
    case DirectoryFault::mode:
        return "chmod 700 " + quoted_word(facts.shell, directory.path);
    case DirectoryFault::variable:
        return unset_command(facts.shell, "LIVESOCK_DIR");
    case DirectoryFault::home:
        return export_command_of(facts, "HOME", directory.right_home);
    case DirectoryFault::taken:
        return move_away(facts, directory.obstacle.path, directory.obstacle.spare);
    case DirectoryFault::stuck:
        return export_command_of(facts, "LIVESOCK_DIR", directory.other_place);
    }
    std::string cure;
    for (const Obstacle& obstacle : directory.obstacles)
        cure += (cure.empty() ? "" : " && ") +
                (obstacle.is_closed ? "chmod u+rw " + quoted_word(facts.shell, obstacle.path)
                                    : move_away(facts, obstacle.path, obstacle.spare));
    return cure;
}

std::string about_obstacles(const std::vector<Obstacle>& obstacles) {
    std::string text;
    for (const Obstacle& obstacle : obstacles) {
        text += (text.empty() ? "" : ", ") + escaped(obstacle.path);
        text += obstacle.is_closed ? " is closed to you"
                                   : fmt::format(" is no {} of yours", obstacle.wanted);
    }
    return text;
}

std::string about_fault(const DirectoryState& directory) {
    if (directory.fault == DirectoryFault::none)
        return about_obstacles(directory.obstacles);
    const std::string more = directory.fault == DirectoryFault::stuck
                                 ? "; this line belongs into what your login shell reads, too"
                                 : "";
    return printable(directory.problem) + more;
}

/// Why it is no other: where it is, and not where it should be.
std::string about_place(const DirectoryState& directory) {
    const bool is_usable = directory.is_preferred_usable;
    return fmt::format("{}, {} {}", escaped(directory.path),
                       is_usable ? "where its supervisor was started, and not"
                                 : "because no socket can be in",
                       escaped(directory.preferred));
}

/// What has the configuration be one that is taken; empty if it is.
std::string config_cure(const DoctorFacts& facts) {
    const ConfigFacts& config = facts.config;
    if (facts.directory.fault == DirectoryFault::home)
        return {};
    switch (config.state) {
    case ConfigState::none:
    case ConfigState::unknown:
    case ConfigState::right:
    case ConfigState::gone:
        return {};
    case ConfigState::misnamed:
        return unset_command(facts.shell, "LIVESOCK_CONFIG");
    case ConfigState::closed:
        return "chmod u+rwx " + quoted_word(facts.shell, config.barrier);
    case ConfigState::unusable:
        return "chmod u+rw,o-w " + quoted_word(facts.shell, config.path);
    case ConfigState::misplaced:
        return move_away(facts, config.path, config.spare);
    case ConfigState::wrong:
        return edit_command_of(facts, config.path, config.line);
    }
    return {};
}

/// Whether it runs, and serves again at the latest when its own remedy has been typed.
bool goes_on(const SupervisorState& supervisor) {
    return supervisor.answers || supervisor.is_stopped;
}

} // namespace

Findings check_supervisor(const DoctorFacts& facts) {
    const SupervisorState& supervisor = facts.supervisor;
    if (supervisor.answers)
        return {good(
            fmt::format("livesockd {} runs, pid {}", escaped(supervisor.version), supervisor.pid))};
    if (supervisor.is_stopped)
        return {bad(
            fmt::format("livesockd, pid {}, is stopped, by a signal or a debugger", supervisor.pid),
            fmt::format("kill -CONT {}", supervisor.pid))};
    if (supervisor.is_there && supervisor.pid > 0)
        return {bad(fmt::format("livesockd, pid {}, does not answer", supervisor.pid),
                    fmt::format("kill -9 {}; livesock start", supervisor.pid))};
    // The remedy there starts it: typed twice, the second would undo the first.
    if (!directory_cure(facts).empty())
        return {nothing("none is running: see the directory")};
    if (!config_cure(facts).empty())
        return {nothing("none is running: see the configuration")};
    return {bad("none is running", "livesock start")};
}

Findings check_directory(const DoctorFacts& facts) {
    const DirectoryState& directory = facts.directory;
    if (const std::string cure = directory_cure(facts); !cure.empty()) {
        const char* const next = goes_on(facts.supervisor)    ? " && livesock restart"
                                 : config_cure(facts).empty() ? " && livesock start"
                                                              : "";
        return {bad(about_fault(directory), cure + next)};
    }
    const bool is_elsewhere = directory.path != directory.preferred && !directory.preferred.empty();
    if (!directory.exists)
        return {nothing(is_elsewhere ? about_place(directory)
                                     : "it is made when the supervisor starts")};
    if (facts.supervisor.answers && !directory.has_agent_socket)
        return {bad(fmt::format("there is no agent.sock in {}", escaped(directory.path)),
                    "livesock restart")};
    return {
        good(is_elsewhere ? about_place(directory) : escaped(directory.path) + " is yours alone")};
}

Findings check_config(const DoctorFacts& facts) {
    const ConfigFacts& config = facts.config;
    const std::string cure = config_cure(facts);
    if (facts.directory.fault == DirectoryFault::home)
        return {nothing("HOME is another user's, and so would it be: see the directory")};
    if (config.state == ConfigState::unknown)
        return {nothing(escaped(config.path) + " could not be checked: livesockd does not say")};
    if (config.state == ConfigState::none)
        return {nothing("there is none: everything is as it is by default")};
    if (config.state == ConfigState::gone)
        return {bad(escaped(config.path) + " is gone; what was read there is in force",
                    "livesock reload")};
    if (cure.empty() && facts.status.is_config_changed)
        return {bad(escaped(config.path) + (facts.status.config
                                                ? " is right, but has changed since it was read"
                                                : " is right, but was made after livesockd had "
                                                  "looked for it"),
                    "livesock reload")};
    if (cure.empty())
        return {good(escaped(config.path) + " is right")};
    if (!goes_on(facts.supervisor))
        return {bad(config.problem, cure + " && livesock start")};
    // The variable of this shell is not the supervisor's.
    if (config.state == ConfigState::misnamed)
        return {nothing(config.problem + (facts.status.config ? "; what was read there is in force"
                                                              : "; the supervisor goes without"))};
    return {
        bad(config.problem + "; what was read before is in force", cure + " && livesock reload")};
}

} // namespace livesock

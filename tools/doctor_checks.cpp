#include "tools/doctor_checks.hpp"

#include "supervisor/base/escape.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

struct Check {
    const char* name;
    Findings (*examine)(const DoctorFacts&);
};

/// In the order in which a person would suspect.
constexpr Check checks[] = {
    {"supervisor", check_supervisor},
    {"directory", check_directory},
    {"config", check_config},
    {"this shell", check_shell},
    {"tmux", check_tmux},
    {"shim", check_shim},
    {"programs", check_programs},
    {"preloads", check_preload_order},
    {"sanitizers", check_asan},
    {"forwarding", check_forwarding},
    {"sleepers", check_sleepers},
    {"shared home", check_shared_home},
    {"logout", check_linger},
    {"clean-up", check_ageing},
    {"other tools", check_rivals},
    {"versions", check_versions},
    {"versions", check_left_shims},
};

} // namespace

std::vector<Finding> examine(const DoctorFacts& facts) {
    std::vector<Finding> findings;
    for (const Check& check : checks)
        for (Finding& finding : check.examine(facts)) {
            finding.check = check.name;
            findings.push_back(std::move(finding));
        }
    return findings;
}

bool is_healthy(const std::vector<Finding>& findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const Finding& finding) { return finding.verdict == Verdict::bad; });
}

Finding good(std::string text) {
    return {.verdict = Verdict::good, .text = std::move(text)};
}

Finding nothing(std::string text) {
    return {.verdict = Verdict::none, .text = std::move(text)};
}

Finding bad(std::string text, const std::string& remedy) {
    return {.verdict = Verdict::bad, .text = std::move(text), .remedy = printable(remedy)};
}

std::string env_command_of(const DoctorFacts& facts, bool preload) {
    const std::string option = preload ? " --preload" : "";
    switch (facts.shell) {
    case Shell::posix:
        return "eval \"$(livesock env" + option + ")\"";
    case Shell::csh:
        return "eval `livesock env -c" + option + '`';
    case Shell::fish:
        return "livesock env --fish" + option + " | source";
    }
    return {};
}

std::string export_command_of(const DoctorFacts& facts, const char* name,
                              const std::string& value) {
    return export_command(facts.shell, name, quoted_word(facts.shell, value));
}

std::string edit_command_of(const DoctorFacts& facts, const std::string& file, std::int64_t line) {
    return fmt::format("{} +{} {}", facts.editor, line, quoted_word(facts.shell, file));
}

bool relies_on_shim(const DoctorFacts& facts) {
    return facts.socket.state != SocketState::unset && !facts.socket.is_ours;
}

} // namespace livesock

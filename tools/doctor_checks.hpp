// The checks of `doctor`: pure functions of the facts.
#pragma once

#include "tools/doctor_facts.hpp"

#include <string>
#include <vector>

namespace livesock {

enum class Verdict {
    good,
    bad,
    none, ///< there is nothing to be checked, or another check says what is wrong
};

/// What a check has found: one thing, in a sentence. What is bad has the command that cures it.
struct Finding {
    std::string check = {};
    Verdict verdict = Verdict::good;
    std::string text = {};
    std::string remedy = {};
};

/// The findings of all checks, in the order in which a person would suspect; of each check at least
/// one.
[[nodiscard]] std::vector<Finding> examine(const DoctorFacts& facts);

/// Whether nothing is bad.
[[nodiscard]] bool is_healthy(const std::vector<Finding>& findings);

// The checks one by one; each has at least one finding, but where it says otherwise.
using Findings = std::vector<Finding>;
[[nodiscard]] Findings check_supervisor(const DoctorFacts& facts);
[[nodiscard]] Findings check_directory(const DoctorFacts& facts);
[[nodiscard]] Findings check_config(const DoctorFacts& facts);
[[nodiscard]] Findings check_shell(const DoctorFacts& facts);
[[nodiscard]] Findings check_tmux(const DoctorFacts& facts);
[[nodiscard]] Findings check_shim(const DoctorFacts& facts);
[[nodiscard]] Findings check_programs(const DoctorFacts& facts);
[[nodiscard]] Findings check_preload_order(const DoctorFacts& facts);
[[nodiscard]] Findings check_asan(const DoctorFacts& facts);
[[nodiscard]] Findings check_forwarding(const DoctorFacts& facts);
[[nodiscard]] Findings check_sleepers(const DoctorFacts& facts);
[[nodiscard]] Findings check_shared_home(const DoctorFacts& facts);
[[nodiscard]] Findings check_linger(const DoctorFacts& facts);
[[nodiscard]] Findings check_ageing(const DoctorFacts& facts);
[[nodiscard]] Findings check_rivals(const DoctorFacts& facts);
[[nodiscard]] Findings check_versions(const DoctorFacts& facts);
/// None where nothing was left.
[[nodiscard]] Findings check_left_shims(const DoctorFacts& facts);

// How the checks say what they say.
[[nodiscard]] Finding good(std::string text);
[[nodiscard]] Finding nothing(std::string text);
[[nodiscard]] Finding bad(std::string text, const std::string& remedy);

/// The command that has this shell use the stable socket.
[[nodiscard]] std::string env_command_of(const DoctorFacts& facts, bool preload = false);

/// The command that exports `name` as `value` from this shell.
[[nodiscard]] std::string export_command_of(const DoctorFacts& facts, const char* name,
                                            const std::string& value);

/// The command that opens an editor at a line of `file`.
[[nodiscard]] std::string edit_command_of(const DoctorFacts& facts, const std::string& file,
                                          std::int64_t line);

/// What programs started from here do with the path in SSH_AUTH_SOCK is up to the shim.
[[nodiscard]] bool relies_on_shim(const DoctorFacts& facts);

} // namespace livesock

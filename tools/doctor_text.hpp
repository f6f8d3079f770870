// What `doctor` shows of its findings.
#pragma once

#include "tools/doctor_checks.hpp"
#include "tools/print.hpp"

#include <string>
#include <vector>

namespace livesock {

/// First a sentence that says whether anything is wrong, then one line a finding: its verdict, its
/// check, what was found; below what is wrong "type:" and the command that cures it, in a line of
/// its own.
[[nodiscard]] std::string doctor_text(const std::vector<Finding>& findings, const View& view);

/// The same as JSON: {"healthy", "findings": [{"check", "verdict", "text", "remedy"}]}.
[[nodiscard]] std::string doctor_json(const std::vector<Finding>& findings);

} // namespace livesock

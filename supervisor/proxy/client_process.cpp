#include "supervisor/proxy/client_process.hpp"

#include "supervisor/base/process_files.hpp"

#include <algorithm>

namespace livesock {
namespace {

/// So many generations are looked at.
constexpr int most_ancestors = 32;

/// The kernel cuts the names of processes (TASK_COMM_LEN).
constexpr std::size_t longest_name = 15;

} // namespace

bool is_background_of(pid_t pid, std::span<const std::string> programs) {
    if (programs.empty())
        return false;
    std::optional<ProcessFacts> process = process_facts(pid);
    if (!process || process->has_terminal)
        return false;
    for (int i = 0; process && i < most_ancestors; ++i) {
        const auto is_it = [&](const std::string& program) {
            return process->program == program.substr(0, longest_name);
        };
        if (std::any_of(programs.begin(), programs.end(), is_it))
            return true;
        process = process->parent > 0 ? process_facts(process->parent) : std::nullopt;
    }
    return false;
}

} // namespace livesock

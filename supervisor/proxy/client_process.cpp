#include "supervisor/proxy/client_process.hpp"

#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

/// So many generations are looked at.
constexpr int most_ancestors = 32;

/// The kernel cuts the names of processes (TASK_COMM_LEN).
constexpr std::size_t longest_name = 15;

std::optional<ProcessFacts> facts_of(pid_t pid) {
    const UniqueFd fd(::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[1024];
    const ssize_t count = fd ? ::read(fd.get(), buffer, sizeof buffer) : -1;
    if (count <= 0)
        return std::nullopt;
    return parse_process({buffer, static_cast<std::size_t>(count)});
}

/// The number at the start of `text`, which is shortened by it and the blank behind it.
std::optional<int> cut_number(std::string_view& text) {
    int number = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{})
        return std::nullopt;
    text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(rest - text.data()) + 1));
    return number;
}

} // namespace

std::optional<ProcessFacts> parse_process(std::string_view stat) {
    // "PID (name) S PPID PGRP SESSION TTY ...": the name may hold blanks and parentheses.
    const std::size_t begin = stat.find('(');
    const std::size_t end = stat.rfind(')');
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin ||
        stat.size() < end + 4)
        return std::nullopt;
    ProcessFacts facts;
    facts.program = stat.substr(begin + 1, end - begin - 1);
    std::string_view rest = stat.substr(end + 4);
    const std::optional<int> parent = cut_number(rest);
    const std::optional<int> group = cut_number(rest);
    const std::optional<int> session = cut_number(rest);
    const std::optional<int> terminal = cut_number(rest);
    if (!parent || !group || !session || !terminal)
        return std::nullopt;
    facts.parent = *parent;
    facts.has_terminal = *terminal != 0;
    return facts;
}

bool is_background_of(pid_t pid, std::span<const std::string> programs) {
    if (programs.empty())
        return false;
    std::optional<ProcessFacts> process = facts_of(pid);
    if (!process || process->has_terminal)
        return false;
    for (int i = 0; process && i < most_ancestors; ++i) {
        const auto is_it = [&](const std::string& program) {
            return process->program == program.substr(0, longest_name);
        };
        if (std::any_of(programs.begin(), programs.end(), is_it))
            return true;
        process = process->parent > 0 ? facts_of(process->parent) : std::nullopt;
    }
    return false;
}

} // namespace livesock

#include "supervisor/base/process_files.hpp"

#include "supervisor/base/file.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

/// More of an environment is not read.
constexpr std::size_t most_environment = 256 * 1024;

/// A /proc/PID/stat is much shorter.
constexpr std::size_t most_stat = 1024;

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

std::optional<std::string_view> variable_in(std::string_view environ_bytes, std::string_view name) {
    while (!environ_bytes.empty()) {
        const std::string_view variable = environ_bytes.substr(0, environ_bytes.find('\0'));
        if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
            return variable.substr(name.size() + 1);
        environ_bytes.remove_prefix(std::min(variable.size() + 1, environ_bytes.size()));
    }
    return std::nullopt;
}

std::optional<ProcessFacts> parse_process(std::string_view stat) {
    // "PID (name) S PPID PGRP SESSION TTY ...": the name may hold blanks and parentheses.
    const std::size_t begin = stat.find('(');
    const std::size_t end = stat.rfind(')');
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin ||
        stat.size() < end + 4)
        return std::nullopt;
    ProcessFacts facts;
    facts.program = stat.substr(begin + 1, end - begin - 1);
    const char state = stat[end + 2];
    facts.is_stopped = state == 'T' || state == 't';
    std::string_view rest = stat.substr(end + 4);
    const std::optional<int> parent = cut_number(rest);
    const std::optional<int> group = cut_number(rest);
    const std::optional<int> session = cut_number(rest);
    const std::optional<int> terminal = cut_number(rest);
    if (!parent || !group || !session || !terminal)
        return std::nullopt;
    facts.parent = *parent;
    facts.group = *group;
    facts.has_terminal = *terminal != 0;
    return facts;
}

std::optional<ProcessFacts> process_facts(pid_t pid) {
    return parse_process(read_beginning(fmt::format("/proc/{}/stat", pid), most_stat).value_or(""));
}

std::string link_at(const std::string& path) {
    char text[4096];
    const ssize_t size = ::readlink(path.c_str(), text, sizeof text);
    return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

std::string environment_of(pid_t pid) {
    return read_beginning(fmt::format("/proc/{}/environ", pid), most_environment).value_or("");
}

} // namespace livesock

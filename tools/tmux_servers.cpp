#include "tools/tmux_servers.hpp"

#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "tools/own_socket.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

/// More processes, names in a directory, and bytes of the kernel's table are not looked at.
constexpr std::size_t most_server_processes = 4096;
constexpr std::size_t most_names = 256;
constexpr std::size_t most_table = 4 * 1024 * 1024;

/// How the process calls itself that a server is.
constexpr std::string_view server_name = "tmux: server";

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
    Number number{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

/// The next column of a line, of which it is taken off.
std::string_view cut_column(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view column = line.substr(0, line.find(' '));
    line.remove_prefix(column.size());
    return column;
}

bool is_own_process(const fs::path& process) {
    struct stat status {};
    return ::stat(process.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

/// The names in the directory `path` that are wanted, up to a limit.
std::vector<fs::path> entries_of(const fs::path& path, std::size_t most,
                                 bool (*is_wanted)(const fs::path&) = nullptr) {
    std::vector<fs::path> found;
    std::error_code problem;
    for (fs::directory_iterator entry(path, problem), end;
         !problem && entry != end && found.size() < most; entry.increment(problem))
        if (is_wanted == nullptr || is_wanted(entry->path()))
            found.push_back(entry->path());
    return found;
}

std::vector<std::string> named_sockets() {
    const std::string base = environment("TMUX_TMPDIR");
    const fs::path directory = fmt::format("{}/tmux-{}", base.empty() ? "/tmp" : base, ::geteuid());
    std::vector<std::string> found;
    for (const fs::path& path : entries_of(directory, most_names))
        found.push_back(path);
    std::sort(found.begin(), found.end());
    std::stable_partition(found.begin(), found.end(),
                          [](const std::string& path) { return path.ends_with("/default"); });
    return found;
}

/// The numbers of the sockets that the servers' processes have open.
std::set<std::uint64_t> server_inodes() {
    constexpr std::string_view mark = "socket:[";
    std::set<std::uint64_t> inodes;
    for (const fs::path& process : entries_of("/proc", most_server_processes, is_own_process)) {
        const auto pid = number_in<pid_t>(process.filename().native());
        const auto facts = pid ? process_facts(*pid) : std::nullopt;
        if (!facts || facts->program != server_name)
            continue;
        for (const fs::path& fd : entries_of(process / "fd", most_names)) {
            const std::string target = link_at(fd);
            if (target.starts_with(mark))
                if (const auto inode = number_in<std::uint64_t>(std::string_view(target).substr(
                        mark.size(), target.size() - mark.size() - 1)))
                    inodes.insert(*inode);
        }
    }
    return inodes;
}

} // namespace

std::vector<std::string> listening_paths(std::string_view text,
                                         const std::set<std::uint64_t>& inodes) {
    constexpr std::string_view listens = "00010000"; // __SO_ACCEPTCON
    std::vector<std::string> found;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        std::string_view flags;
        for (int column = 0; column < 4; ++column) // Num RefCount Protocol Flags
            flags = cut_column(line);
        cut_column(line); // Type
        cut_column(line); // St
        const auto inode = number_in<std::uint64_t>(cut_column(line));
        if (inode && flags == listens && inodes.contains(*inode) && line.starts_with(" /"))
            found.emplace_back(line.substr(1)); // it may have blanks
    }
    return found;
}

std::vector<std::string> tmux_sockets() {
    const std::string here = environment("TMUX");
    std::vector<std::string> candidates{here.substr(0, here.find(','))};
    for (std::string& path : named_sockets())
        candidates.push_back(std::move(path));
    const std::string table = read_beginning("/proc/net/unix", most_table).value_or("");
    for (std::string& path : listening_paths(table, server_inodes()))
        candidates.push_back(std::move(path));
    std::vector<std::string> found;
    for (const std::string& candidate : candidates) {
        const std::string path = own_socket_at(candidate);
        const bool is_known = std::find(found.begin(), found.end(), path) != found.end();
        if (found.size() < most_tmux_servers && !path.empty() && !is_known && !is_dead(path))
            found.push_back(path);
    }
    return found;
}

} // namespace livesock

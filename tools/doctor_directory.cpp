// What `doctor` knows about the runtime directory, and what is in its way.
#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

/// Further names are not tried.
constexpr int most_spares = 1000;

/// A name of the directory, and what a supervisor has there.
struct OwnName {
    const char* name;
    mode_t kind;
    const char* wanted;
};
constexpr OwnName own_names[] = {
    {agent_socket_name, S_IFSOCK, "socket"},
    {control_socket_name, S_IFSOCK, "socket"},
    {live_link_name, S_IFLNK, "symlink"},
    {lock_name, S_IFREG, "file"},
    {log_name, S_IFREG, "file"},
};

std::optional<struct stat> status_of(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

bool is_read_only(const std::string& path) {
    return ::access(path.c_str(), W_OK) != 0 && errno == EROFS;
}

/// Whether something could be made at `path`, which is not there.
bool can_be_made(fs::path path) {
    std::error_code ignored;
    while (path.has_relative_path() && !fs::exists(path, ignored))
        path = path.parent_path();
    return ::access(path.c_str(), W_OK | X_OK) == 0;
}

/// Whether this user may rename `path`: in a directory like /tmp only what is the user's own.
bool can_be_moved(const fs::path& path) {
    const auto status = status_of(path);
    const auto parent = status_of(path.parent_path());
    if (!status || !parent || ::access(path.parent_path().c_str(), W_OK | X_OK) != 0)
        return false;
    const uid_t self = ::geteuid();
    return self == 0 || (parent->st_mode & S_ISVTX) == 0 || status->st_uid == self ||
           parent->st_uid == self;
}

/// Whether a supervisor could have `path` for its directory.
bool is_usable(const std::string& path) {
    const Result<UniqueFd> opened = open_private_directory(path);
    return opened ? !is_read_only(path) : opened.error().code == ENOENT && can_be_made(path);
}

/// Whether a supervisor that looks for its place ends its search at `path`: it takes it, or refuses
/// what it finds there.
bool is_final(const std::string& path, bool is_first) {
    const Result<UniqueFd> opened = open_private_directory(path);
    const bool is_refused =
        !opened && opened.error().code != ENOENT && (is_first || opened.error().code != EACCES);
    return is_refused || is_usable(path);
}

/// Where a supervisor would begin.
std::string place_among(const std::vector<std::string>& choices) {
    const auto found = std::find_if(choices.begin(), choices.end(), [&](const std::string& path) {
        return is_final(path, &path == &choices.front());
    });
    return found == choices.end() ? choices.back() : *found;
}

std::vector<Obstacle> obstacles_in(const std::string& directory) {
    std::vector<Obstacle> found;
    for (const OwnName& own : own_names) {
        const std::string path = directory + '/' + own.name;
        const auto status = status_of(path);
        if (!status)
            continue;
        if ((status->st_mode & S_IFMT) != own.kind || status->st_uid != ::geteuid())
            found.push_back({.path = path, .spare = free_name(path), .wanted = own.wanted});
        else if (S_ISREG(own.kind) && ::access(path.c_str(), R_OK | W_OK) != 0 && errno == EACCES)
            found.push_back({.path = path, .wanted = own.wanted, .is_closed = true});
    }
    return found;
}

/// Whether the directory at `path` holds something, and nothing of a supervisor's.
bool is_others(const std::string& path) {
    const auto is_own = [](const fs::directory_entry& entry) {
        return std::any_of(std::begin(own_names), std::end(own_names),
                           [&](const OwnName& own) { return entry.path().filename() == own.name; });
    };
    std::error_code unreadable;
    const fs::directory_iterator entries(path, unreadable);
    return begin(entries) != end(entries) && std::none_of(begin(entries), end(entries), is_own);
}

/// Why LIVESOCK_DIR is not to name this directory; empty if it may.
std::string objection_to(const std::string& named, const std::vector<std::string>& choices) {
    if (choices.empty() || choices.front() != named)
        return "no socket fits into a path so long";
    const auto status = status_of(named);
    if (!status && errno == EACCES)
        return "you may not enter it";
    if (!status)
        return can_be_made(named) ? "" : "it cannot be made";
    if (S_ISLNK(status->st_mode))
        return "it is a symbolic link";
    if (!S_ISDIR(status->st_mode))
        return "it is not a directory";
    if (status->st_uid != ::geteuid())
        return "it is another user's";
    if (is_read_only(named))
        return "it is on a read-only file system";
    return is_others(named) ? "it holds something else" : "";
}

/// The user's home, where `home` is another user's; empty otherwise.
std::string right_home(const std::string& home) {
    struct stat status {};
    const std::string own = passwd_home();
    return ::stat(home.c_str(), &status) == 0 && status.st_uid != ::geteuid() && home != own
               ? own
               : std::string();
}

/// What has to go for a directory to be made at `path`: that, or the directory "livesock" it lies
/// in, as one of root's that `sudo` has made; empty if nothing can.
std::string movable_at(const std::string& path) {
    const fs::path parent = fs::path(path).parent_path();
    if (can_be_moved(path))
        return path;
    return parent.filename() == "livesock" && can_be_moved(parent) ? parent.string() : "";
}

/// A directory that can be had whatever is in the way: the last choice, or one beside it.
std::string other_place(const std::vector<std::string>& choices) {
    std::string place = choices.back();
    for (int number = 2; number < most_spares && !is_usable(place); ++number)
        place = fmt::format("{}.{}", choices.back(), number);
    return place;
}

/// Whether nothing is wrong with the directory but its mode.
bool is_mode_wrong(const std::string& path) {
    const auto status = status_of(path);
    return status && S_ISDIR(status->st_mode) && status->st_uid == ::geteuid() &&
           (status->st_mode & S_ISVTX) == 0 && (status->st_mode & 0777) != 0700;
}

/// What is wrong with the directory in which a supervisor would begin.
void find_fault(const DirectoryInputs& inputs, const std::vector<std::string>& choices,
                DirectoryState& state) {
    const std::string objection =
        inputs.livesock_dir.empty() ? "" : objection_to(state.preferred, choices);
    const Result<UniqueFd> opened = open_private_directory(state.path);
    if (!objection.empty()) {
        state.fault = DirectoryFault::variable;
        state.problem =
            fmt::format("{} is '{}': {}", directory_variable, escaped(state.preferred), objection);
        return;
    }
    if (opened || opened.error().code == ENOENT)
        return;
    state.problem = printable(opened.error().message);
    state.right_home = inputs.livesock_dir.empty() ? right_home(inputs.home) : "";
    if (const std::string path = movable_at(state.path); !state.right_home.empty()) {
        state.fault = DirectoryFault::home;
        state.problem = fmt::format("HOME is '{}', which is another user's", escaped(inputs.home));
    } else if (is_mode_wrong(state.path)) {
        state.fault = DirectoryFault::mode;
    } else if (!path.empty()) {
        state.fault = DirectoryFault::taken;
        state.obstacle = {.path = path, .spare = free_name(path)};
    } else {
        state.fault = DirectoryFault::stuck;
        state.other_place = other_place(choices);
    }
}

} // namespace

std::string free_name(const std::string& path) {
    std::string name = path + ".old";
    for (int number = 2; number < most_spares && status_of(name); ++number)
        name = fmt::format("{}.old.{}", path, number);
    return name;
}

DirectoryState collect_directory(const std::string& in_use) {
    const DirectoryInputs inputs = directory_inputs();
    const Result<std::vector<std::string>> choices = directory_choices(inputs);
    DirectoryState state{.path = in_use, .preferred = preferred_directory(inputs)};
    if (in_use.empty())
        state.path = inputs.livesock_dir.empty() ? place_among(*choices) : state.preferred;
    state.is_preferred_usable =
        choices && std::find(choices->begin(), choices->end(), state.preferred) != choices->end() &&
        is_usable(state.preferred);
    state.exists = status_of(state.path).has_value();
    if (!choices) {
        state.fault = DirectoryFault::variable;
        state.problem = printable(choices.error().message);
    } else if (in_use.empty()) {
        find_fault(inputs, *choices, state);
    }
    if (state.fault != DirectoryFault::none)
        return state;
    state.obstacles = obstacles_in(state.path);
    const auto socket = status_of(state.path + '/' + agent_socket_name);
    state.has_agent_socket = socket && S_ISSOCK(socket->st_mode);
    return state;
}

} // namespace livesock

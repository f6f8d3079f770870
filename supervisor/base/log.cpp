#include "supervisor/base/log.hpp"

#include "supervisor/base/file.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock::log {
namespace {

// One process, one thread, one log: so these may be globals.
Level current_level = Level::info;
Style current_style = Style::plain;
std::string file_path;
std::size_t file_size = 0;

/// A pipe that poll(2) calls writable takes so much at once (pipe(7)).
constexpr std::size_t longest_line = PIPE_BUF;
constexpr std::string_view cut_mark = "...";

constexpr std::size_t largest_file = 1024 * 1024;

struct LevelName {
    Level level;
    std::string_view name;
    int priority; // syslog(3)
};
constexpr LevelName level_names[] = {
    {Level::error, "error", 3},
    {Level::warning, "warning", 4},
    {Level::info, "info", 6},
    {Level::debug, "debug", 7},
};

const LevelName& entry_of(Level level) {
    return level_names[static_cast<std::size_t>(level)];
}

std::string timestamp() {
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    std::tm local{};
    ::localtime_r(&now.tv_sec, &local);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%F %T", &local);
    return fmt::format("{}.{:03}", std::string_view(text, length), now.tv_nsec / 1000000);
}

std::string prefix(Level level) {
    switch (current_style) {
    case Style::plain:
        return level == Level::info ? "livesockd: "
                                    : fmt::format("livesockd: {}: ", entry_of(level).name);
    case Style::timestamp:
        return fmt::format("{} {}: ", timestamp(), entry_of(level).name);
    case Style::journal:
        return fmt::format("<{}>", entry_of(level).priority);
    }
    return {};
}

/// Whether a write to standard error returns at once. It cannot be made non-blocking: that would
/// change it for everybody who shares it, such as the shell that started us.
bool would_take_line() {
    pollfd state{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & POLLOUT) != 0;
}

void note_written(std::size_t count) {
    file_size += count;
    if (file_size <= largest_file)
        return;
    const std::string path = file_path;
    // If the new file cannot be opened, the old one, under whichever name, is written on.
    ::rename(path.c_str(), (path + ".1").c_str());
    if (!open_file(path))
        file_size = 0;
}

} // namespace

void set_level(Level level) {
    current_level = level;
}

void set_style(Style style) {
    current_style = style;
}

std::string_view name_of(Level level) {
    return entry_of(level).name;
}

std::optional<Level> parse_level(std::string_view name) {
    for (const LevelName& known : level_names)
        if (known.name == name)
            return known.level;
    return std::nullopt;
}

Result<void> open_file(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(),
                             O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || ::dup2(fd.get(), STDERR_FILENO) < 0)
        return cannot_open_own(path, "our log", errno);
    file_path = path;
    file_size = static_cast<std::size_t>(status.st_size);
    return {};
}

void reopen_file() {
    struct stat written {};
    struct stat named {};
    if (file_path.empty() || ::fstat(STDERR_FILENO, &written) != 0 ||
        (::lstat(file_path.c_str(), &named) == 0 && named.st_dev == written.st_dev &&
         named.st_ino == written.st_ino))
        return;
    // If it cannot be opened, the old one, under whichever name, is written on.
    const std::string path = file_path;
    [[maybe_unused]] const Result<void> opened = open_file(path);
}

bool enabled(Level level) {
    return level <= current_level;
}

void write(Level level, std::string_view text) {
    if (!enabled(level))
        return;
    const int saved = errno;
    std::string line = prefix(level);
    line += text;
    if (line.size() >= longest_line)
        line.replace(longest_line - cut_mark.size() - 1, std::string::npos, cut_mark);
    line += '\n';
    const ssize_t written =
        would_take_line() ? ::write(STDERR_FILENO, line.data(), line.size()) : 0;
    if (!file_path.empty() && written > 0)
        note_written(static_cast<std::size_t>(written));
    errno = saved;
}

} // namespace livesock::log

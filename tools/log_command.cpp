#include "tools/log_command.hpp"

#include "preload/report.h"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "tools/answers.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/supervisor_commands.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace livesock {
namespace {

/// Changes that inotify does not report (it failed, a network file system) are seen this much
/// later.
constexpr int look_again_ms = 1000;

/// Where the log of the running supervisor is, or that of the last one.
Result<std::string> log_path() {
    Result<ControlClient> client = find_supervisor();
    if (client) {
        const Result<ControlAnswer> answer = client->ask({.command = "status"});
        const StatusReport report = answer && answer->ok ? read_status(*answer) : StatusReport{};
        if (answer && answer->ok && !report.logs_to_file)
            return Error{"the supervisor logs to its standard error; one started by systemd: see "
                         "'journalctl --user -u livesockd'"};
        return report.log_path.value_or(client->directory() + '/' + log_name);
    }
    const Result<std::vector<std::string>> choices = directory_choices(directory_inputs());
    if (!choices)
        return choices.error();
    for (const std::string& directory : *choices) {
        std::string path = directory + '/' + log_name;
        const Result<UniqueFd> opened = open_private_directory(directory);
        if (!opened && opened.error().code != ENOENT && &directory == &choices->front())
            return opened.error();
        if (opened && ::access(path.c_str(), F_OK) == 0)
            return path;
    }
    return Error{"there is no log: no supervisor has been started with 'livesock start'"};
}

/// Copies what there is of `file`, from where it stands, to standard output.
Result<void> copy_rest(int file, const std::string& path) {
    char chunk[64 * 1024];
    for (;;) {
        const ssize_t count = ::read(file, chunk, sizeof chunk);
        if (count < 0)
            return system_error(fmt::format("cannot read '{}'", path), errno);
        if (count == 0)
            return {};
        for (ssize_t done = 0; done < count;) {
            const ssize_t written =
                ::write(STDOUT_FILENO, chunk + done, static_cast<std::size_t>(count - done));
            if (written < 0)
                return system_error("cannot write the log to standard output", errno);
            done += written;
        }
    }
}

UniqueFd open_log(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
}

/// Whether `path` is no longer the name of `file`, but of another one.
bool was_replaced(const std::string& path, int file) {
    struct stat named {};
    struct stat opened {};
    return ::stat(path.c_str(), &named) == 0 && ::fstat(file, &opened) == 0 &&
           (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev);
}

/// Waits for a change in the directory; false once nobody reads standard output.
bool wait_for_change(int changes) {
    pollfd entries[] = {{STDOUT_FILENO, 0, 0}, {changes, POLLIN, 0}};
    ::poll(entries, 2, look_again_ms);
    char events[16 * 1024];
    while (changes >= 0 && ::read(changes, events, sizeof events) > 0)
        continue;
    return (entries[0].revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

Result<void> follow_log(const std::string& path, UniqueFd file) {
    const UniqueFd changes(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    const std::string directory = path.substr(0, path.rfind('/'));
    ::inotify_add_watch(changes.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    for (;;) {
        // In this order: what was written before the rotation is all there when it is seen.
        const bool replaced = was_replaced(path, file.get());
        if (const Result<void> copied = copy_rest(file.get(), path); !copied)
            return copied;
        UniqueFd next = replaced ? open_log(path) : UniqueFd();
        if (next)
            file = std::move(next);
        else if (!wait_for_change(changes.get()))
            return {};
    }
}

} // namespace

int log_command(bool follow) {
    const Result<std::string> path = log_path();
    if (!path)
        return complain(path.error(), exit_no);
    UniqueFd file = open_log(*path);
    if (!file)
        return complain(system_error(fmt::format("cannot open '{}'", *path), errno), exit_no);
    const Result<void> done = copy_rest(file.get(), *path);
    if (done && follow)
        if (const Result<void> followed = follow_log(*path, std::move(file)); !followed)
            return complain(followed.error(), exit_no);
    return done ? exit_done : complain(done.error(), exit_no);
}

} // namespace livesock

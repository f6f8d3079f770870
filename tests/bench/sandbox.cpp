#include "tests/bench/sandbox.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

constexpr int refused = 125; ///< the child's exit status when it could not be set up

volatile std::sig_atomic_t child = 0;

void hand_on(int number) {
    kill(child, number);
}

bool write_file(const char* path, const std::string& text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool good =
        fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
    return good;
}

/// Lets this user and group go on being themselves in a new user namespace (user_namespaces(7)).
bool keep_identity(uid_t user, gid_t group) {
    const auto same = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
    return write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", same(user)) &&
           write_file("/proc/self/gid_map", same(group));
}

bool mount_private_places() {
    // First of all nothing may travel back to the mounts of the others.
    return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0 &&
           mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

[[noreturn]] void exit_with(int status) {
    if (WIFSIGNALED(status))
        std::exit(128 + WTERMSIG(status));
    std::exit(WEXITSTATUS(status));
}

} // namespace

Sandbox enter_sandbox() {
    const uid_t user = geteuid();
    const gid_t group = getegid();
    const bool as_root = user == 0;
    const unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | (as_root ? 0UL : CLONE_NEWUSER);
    const long pid = syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid < 0)
        return {.private_tmp = false, .why_not = std::string("clone: ") + std::strerror(errno)};
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if ((!as_root && !keep_identity(user, group)) || !mount_private_places())
            _exit(refused);
        return {.private_tmp = true, .why_not = ""};
    }
    child = static_cast<std::sig_atomic_t>(pid);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        std::signal(number, hand_on);
    int status = 0;
    while (waitpid(static_cast<pid_t>(pid), &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == refused)
        return {.private_tmp = false,
                .why_not = "mounting a private /tmp and /proc is not allowed"};
    exit_with(status);
}

bool take_precedence() {
    setsid();
    return write_file("/proc/self/autogroup", "-20") || setpriority(PRIO_PROCESS, 0, -20) == 0;
}

} // namespace livesock::bench

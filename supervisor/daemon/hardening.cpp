#include "supervisor/daemon/hardening.hpp"

#include "supervisor/base/log.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace livesock {
namespace {

/// Descriptors besides those that are open at the start: a dozen are held with no agent; an agent
/// takes two, a client as many, and a command that is run four for a moment.
constexpr rlim_t least_descriptors = 32;

/// How many are open; `limit` where none is left to look with.
rlim_t open_files(rlim_t limit) {
    std::error_code problem;
    const std::filesystem::directory_iterator files("/proc/self/fd", problem);
    if (problem)
        return problem == std::errc::too_many_files_open ? limit : 0;
    return static_cast<rlim_t>(std::distance(begin(files), end(files)));
}

} // namespace

void harden_process() {
    ::umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    const rlimit no_core{0, 0};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0)
        log::warning("cannot turn core dumps off: {}", std::strerror(errno));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        log::warning("cannot give up new privileges: {}", std::strerror(errno));
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return;
    descriptors.rlim_cur = descriptors.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        log::warning("cannot raise the number of open files: {}", std::strerror(errno));
}

Result<void> check_open_files() {
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return {};
    const rlim_t needed = open_files(descriptors.rlim_cur) + least_descriptors;
    if (descriptors.rlim_cur >= needed)
        return {};
    return Error{fmt::format("only {0} files may be open, and {1} are needed: have the hard limit "
                             "raised where livesockd is started, to at least {1} (limits.conf(5), "
                             "or LimitNOFILE= in its unit)",
                             descriptors.rlim_cur, needed)};
}

} // namespace livesock

#include "supervisor/daemon/hardening.hpp"

#include "supervisor/base/log.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace livesock {

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

} // namespace livesock

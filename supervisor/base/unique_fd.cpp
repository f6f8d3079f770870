#include "supervisor/base/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>

namespace livesock {

void UniqueFd::reset(int fd) {
    const int old = std::exchange(fd_, fd);
    if (old < 0)
        return;
    const int saved = errno;
    // Not repeated on EINTR: on Linux the descriptor is gone either way (close(2)).
    ::close(old);
    errno = saved;
}

void open_standard_fds() {
    int fd = 0;
    do
        fd = ::open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        ::close(fd);
}

} // namespace livesock

#include "supervisor/base/unique_fd.hpp"

#include <cerrno>

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

} // namespace livesock

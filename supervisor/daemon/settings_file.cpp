#include "supervisor/daemon/settings_file.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {

Result<std::string> read_settings_file(const std::string& path, std::size_t limit) {
    const std::string what = fmt::format("cannot read '{}'", escaped(path));
    // O_NONBLOCK: the open of a fifo would wait for its writer.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd)
        return system_error(what, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return system_error(what, errno);
    if (!S_ISREG(status.st_mode))
        return Error{what + ": it is not a regular file", EINVAL};
    if (!is_trusted_uid(status.st_uid))
        return Error{
            fmt::format("{}: it belongs to uid {}, expected you or root", what, status.st_uid),
            EPERM};
    if ((status.st_mode & S_IWOTH) != 0)
        return Error{
            fmt::format("{0}: everybody may write to it: chmod o-w '{1}'", what, escaped(path)),
            EPERM};
    std::string text;
    char chunk[4096];
    while (text.size() <= limit) {
        const ssize_t count = ::read(fd.get(), chunk, sizeof chunk);
        if (count < 0 && errno != EINTR)
            return system_error(what, errno);
        if (count == 0)
            break;
        text.append(chunk, count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return text;
}

} // namespace livesock

#include "supervisor/base/file.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/peer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {

Result<UniqueFd> open_trusted_file(const std::string& path, FileUse use, const std::string& what) {
    // O_NONBLOCK: the open of a fifo would wait for its writer.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return system_error(what, errno);
    if (!S_ISREG(status.st_mode))
        return Error{what + ": it is not a regular file", EINVAL};
    if (!is_trusted_uid(status.st_uid))
        return Error{
            fmt::format("{}: it belongs to uid {}, expected you or root", what, status.st_uid),
            EPERM};
    if (use == FileUse::settings && (status.st_mode & S_IWOTH) != 0)
        return Error{
            fmt::format("{}: everybody may write to it: chmod o-w '{}'", what, escaped(path)),
            EPERM};
    if (use == FileUse::secret && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return Error{
            fmt::format("{}: others may read or write it: chmod 600 '{}'", what, escaped(path)),
            EPERM};
    return fd;
}

Result<std::string> read_up_to(const UniqueFd& fd, std::size_t most, const std::string& what) {
    std::string text;
    char chunk[16 * 1024];
    while (text.size() < most) {
        const ssize_t count = ::read(fd.get(), chunk, std::min(sizeof chunk, most - text.size()));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return system_error(what, errno);
        if (count == 0)
            break;
        text.append(chunk, static_cast<std::size_t>(count));
    }
    return text;
}

Result<std::string> read_beginning(const std::string& path, std::size_t most) {
    const std::string what = fmt::format("cannot read '{}'", escaped(path));
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return fd ? read_up_to(fd, most, what) : system_error(what, errno);
}

std::optional<FileVersion> version_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return std::nullopt;
    constexpr std::int64_t second = 1'000'000'000;
    return FileVersion{.device = status.st_dev,
                       .inode = status.st_ino,
                       .size = status.st_size,
                       .modified = status.st_mtim.tv_sec * second + status.st_mtim.tv_nsec};
}

Error cannot_open_own(const std::string& path, const char* what, int code) {
    const bool is_something_else =
        code == EISDIR || code == ELOOP || code == ENXIO || code == EACCES;
    if (!is_something_else)
        return system_error(fmt::format("cannot open {} '{}'", what, escaped(path)), code);
    return Error{
        fmt::format("'{}' is not {} ({}): remove it", escaped(path), what, std::strerror(code)),
        EPERM};
}

} // namespace livesock

#include "supervisor/upstream/status_file.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr mode_t readable_for_all = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;

bool replace(const std::string& path, std::string_view text) {
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());
    const UniqueFd fd(::open(
        temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, readable_for_all));
    return fd && ::fchmod(fd.get(), readable_for_all) == 0 &&
           ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
           ::rename(temporary.c_str(), path.c_str()) == 0;
}

} // namespace

bool StatusFile::tell(bool is_connected) {
    if (path_.empty() || told_ == is_connected)
        return true;
    if (replace(path_, is_connected ? "connected\n" : "not connected\n")) {
        told_ = is_connected;
        has_failed_ = false;
        return true;
    }
    const int code = errno;
    if (!std::exchange(has_failed_, true))
        log::warning("cannot write '{}': {}; tried again from time to time", escaped(path_),
                     std::strerror(code));
    return false;
}

} // namespace livesock

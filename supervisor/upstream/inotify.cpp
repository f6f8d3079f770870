#include "supervisor/upstream/inotify.hpp"

#include "supervisor/base/escape.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::size_t buffer_size = 64 * 1024;

Inotify::Event describe(const inotify_event& event) {
    return {.watch = event.wd,
            .name = event.len > 0 ? std::string_view(event.name) : std::string_view(),
            .is_ended = (event.mask & IN_IGNORED) != 0,
            .is_overflow = (event.mask & IN_Q_OVERFLOW) != 0};
}

} // namespace

Result<Inotify> Inotify::create() {
    UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd)
        return system_error("cannot watch directories (see fs.inotify.max_user_instances)", errno);
    return Inotify(std::move(fd));
}

Result<int> Inotify::add(const std::string& path) {
    return add(path, IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF);
}

Result<int> Inotify::add(const std::string& path, std::uint32_t events) {
    const int watch = ::inotify_add_watch(fd_.get(), path.c_str(), events | IN_ONLYDIR);
    if (watch < 0)
        return system_error(fmt::format("cannot watch '{}'", escaped(path)), errno);
    return watch;
}

void Inotify::remove(int watch) {
    ::inotify_rm_watch(fd_.get(), watch);
}

void Inotify::read(const std::function<void(const Event&)>& take) {
    alignas(inotify_event) static char buffer[buffer_size];
    const ssize_t count = ::read(fd_.get(), buffer, sizeof buffer);
    for (ssize_t at = 0; at < count;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(buffer + at);
        // A directory that was moved is no longer the one of this path: IN_IGNORED follows.
        if ((event->mask & IN_MOVE_SELF) != 0)
            ::inotify_rm_watch(fd_.get(), event->wd);
        else
            take(describe(*event));
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
}

} // namespace livesock

#include "supervisor/upstream/login_watch.hpp"

#include "supervisor/upstream/login.hpp"

#include <poll.h>

namespace livesock {
namespace {

/// A zombie is in its parent's list of children until the parent has asked for it.
bool has_ended(const UniqueFd& process) {
    pollfd state{.fd = process.get(), .events = POLLIN, .revents = 0};
    return ::poll(&state, 1, 0) == 1;
}

} // namespace

LoginWatch::LoginWatch(EventLoop& loop, pid_t sshd, std::function<void()> on_over)
    : loop_(loop)
    , sshd_(sshd)
    , on_over_(std::move(on_over))
    , next_(loop.on_demand([this] {
        if (!follow())
            on_over_();
    })) {}

bool LoginWatch::follow() {
    if (is_following())
        return true;
    for (const pid_t child : children_of(sshd_)) {
        UniqueFd process = open_process(child);
        if (!process || has_ended(process))
            continue;
        followed_ = std::move(process);
        ended_ = loop_.on_readable(followed_.get(), [this] { on_end(); });
        ended_.resume();
        return true;
    }
    return false;
}

/// The next one is looked for outside this callback, which belongs to what that replaces.
void LoginWatch::on_end() {
    ended_.pause();
    followed_.reset();
    next_.trigger();
}

} // namespace livesock

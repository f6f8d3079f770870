#include "supervisor/loop/event_loop.hpp"

#include "supervisor/loop/event_memory.hpp"

#include <algorithm>
#include <cerrno>

#include <event2/event.h>
#include <event2/event_struct.h>

namespace livesock {

struct Watch::Subscription {
    event source{};
    Callback callback;
};

void Watch::SubscriptionDeleter::operator()(Subscription* subscription) const {
    event_del(&subscription->source);
    delete subscription;
}

void Watch::pause() {
    if (subscription_)
        event_del(&subscription_->source);
}

void Watch::resume() {
    event_add(&subscription_->source, nullptr);
}

void Watch::start(Duration delay) {
    using namespace std::chrono;
    const auto microseconds_in_all = ceil<microseconds>(std::max(delay, Duration::zero()));
    const auto whole = duration_cast<seconds>(microseconds_in_all);
    const timeval timeout{.tv_sec = static_cast<time_t>(whole.count()),
                          .tv_usec = static_cast<suseconds_t>((microseconds_in_all - whole).count())};
    event_add(&subscription_->source, &timeout);
}

void Watch::trigger() {
    event_active(&subscription_->source, EV_TIMEOUT, 0);
}

void EventLoop::BaseDeleter::operator()(event_base* base) const {
    event_base_free(base);
}

Result<EventLoop> EventLoop::create() {
    keep_event_records_apart();
    BasePtr base(event_base_new());
    if (!base)
        return Error{"cannot make an event loop", errno};
    return EventLoop(std::move(base));
}

Watch EventLoop::subscribe(int fd, short what, Callback callback) {
    Watch watch;
    watch.subscription_.reset(new Watch::Subscription{{}, std::move(callback)});
    const auto call = [](evutil_socket_t, short, void* argument) {
        static_cast<Watch::Subscription*>(argument)->callback();
    };
    event_assign(&watch.subscription_->source, base_.get(), fd, what, call,
                 watch.subscription_.get());
    return watch;
}

Watch EventLoop::on_readable(int fd, Callback callback) {
    return subscribe(fd, EV_READ | EV_PERSIST, std::move(callback));
}

Watch EventLoop::on_writable(int fd, Callback callback) {
    return subscribe(fd, EV_WRITE | EV_PERSIST, std::move(callback));
}

Watch EventLoop::on_change(int fd, Callback callback) {
    return subscribe(fd, EV_READ | EV_ET | EV_PERSIST, std::move(callback));
}

Watch EventLoop::on_signal(int signal, Callback callback) {
    return subscribe(signal, EV_SIGNAL | EV_PERSIST, std::move(callback));
}

Watch EventLoop::timer(Callback callback) {
    return subscribe(-1, 0, std::move(callback));
}

Watch EventLoop::on_demand(Callback callback) {
    return subscribe(-1, 0, std::move(callback));
}

Result<void> EventLoop::run() {
    // Without a flag the loop ends when nothing is subscribed any more; with nothing to wait for,
    // that is right here too.
    if (event_base_dispatch(base_.get()) < 0)
        return system_error("the event loop cannot wait for events", errno);
    return {};
}

void EventLoop::stop() {
    event_base_loopbreak(base_.get());
}

} // namespace livesock

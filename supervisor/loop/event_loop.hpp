// One thread, one loop: callbacks when a descriptor is ready, a time has come, a signal arrived.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/result.hpp"

#include <functional>
#include <memory>

struct event_base;

namespace livesock {

using Callback = std::function<void()>;

/// One subscription at an EventLoop; ends when it is destroyed. It must not outlive its loop, and
/// must not be destroyed by its own callback: an owner marks what is finished and sweeps it later
/// (EventLoop::on_demand).
class [[nodiscard]] Watch {
  public:
    Watch() = default;

    /// A watch of a descriptor or signal begins paused; resumed, it calls back until it is paused.
    void pause();
    void resume();

    /// A timer calls back once, `delay` from now; one that is running starts anew. pause() stops it.
    void start(Duration delay);

    /// An on_demand() watch calls back once, after the callbacks of this turn have returned.
    void trigger();

    explicit operator bool() const { return subscription_ != nullptr; }

  private:
    friend class EventLoop;
    struct Subscription;
    struct SubscriptionDeleter {
        void operator()(Subscription* subscription) const;
    };
    // libevent keeps the subscription's address: it stays where it is when a Watch moves.
    std::unique_ptr<Subscription, SubscriptionDeleter> subscription_;
};

/// A libevent base. Callbacks run in run(), never within the calls that subscribe them.
class EventLoop {
  public:
    static Result<EventLoop> create();

    /// Calls back whenever `fd`, which stays the caller's, can be read or is at its end.
    Watch on_readable(int fd, Callback callback);
    /// Calls back whenever `fd` can be written.
    Watch on_writable(int fd, Callback callback);
    /// Calls back when something new happened at `fd`: a state that lasts is told once
    /// (edge-triggered). No other watch of `fd` may be active with it.
    Watch on_change(int fd, Callback callback);
    Watch on_signal(int signal, Callback callback);
    /// A timer that is not running yet.
    Watch timer(Callback callback);
    Watch on_demand(Callback callback);

    /// Runs callbacks until stop(). Fails only if the kernel refuses to wait.
    Result<void> run();
    /// Ends run() when the running callback returns.
    void stop();

  private:
    struct BaseDeleter {
        void operator()(event_base* base) const;
    };
    using BasePtr = std::unique_ptr<event_base, BaseDeleter>;

    explicit EventLoop(BasePtr base)
        : base_(std::move(base)) {}
    Watch subscribe(int fd, short what, Callback callback);

    BasePtr base_;
};

} // namespace livesock

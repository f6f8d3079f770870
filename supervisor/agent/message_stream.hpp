// A connection that carries the agent protocol, in either role.
#pragma once

#include "supervisor/agent/framer.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Sends and receives whole messages on a non-blocking stream socket. What cannot be written at
/// once is kept and written when the other end takes it; callers bound that by not asking for more
/// (hold()) until it is drained().
///
/// The callbacks come from the loop, never from within send(), release() or close(). They must not
/// destroy the stream, but may close() it: then none follows.
class MessageStream {
  public:
    enum class End {
        half_closed, ///< the other end sends nothing more, and may still read
        gone,      ///< the connection is of no further use. Where an answer is owed (the stream is
                   ///< held, or not drained) this is told at once, also after half_closed.
        malformed, ///< what it sent is not the agent protocol
    };
    struct Callbacks {
        std::function<void(const Message&)> message; ///< valid for the duration of the call
        std::function<void(End)> end;                ///< there is no further message
        std::function<void()> drained;               ///< all that was kept has been written
    };

    MessageStream(EventLoop& loop, UniqueFd fd, Callbacks callbacks);

    /// Receives from now on.
    void start();

    /// Looks at once for what has arrived already; its callbacks come from within this call. A
    /// client that has just been accepted has often sent its request: one turn of the loop is
    /// saved.
    void read_ahead() { receive(); }

    /// Writes `frame`, a whole message. Without effect on a stream that is closed.
    void send(std::string_view frame);

    /// Delivers no message until released. The end of the stream is still told, if no message has
    /// arrived before it.
    void hold();
    void release();

    /// Closes the connection and forgets what was not written. The object may be destroyed later.
    void close();

    bool is_open() const { return static_cast<bool>(fd_); }
    bool is_drained() const { return unwritten_.empty(); }
    /// Nothing of the conversation is on our side: somebody else may go on with it on the same
    /// socket.
    bool is_quiet() const {
        return is_open() && !held_ && !input_ended_ && !framer_.in_message() &&
               undelivered_.empty() && unwritten_.empty();
    }
    int fd() const { return fd_.get(); }

    /// Since when the other end leaves us with half a message, or with bytes that it does not read.
    std::optional<TimePoint> stalled_since() const { return stalled_since_; }

  private:
    void on_readable();
    void receive();
    void deliver(std::string_view input);
    void on_writable();
    void at_end_of_input();
    void check_hangup();
    void watch_hangup();
    void finish(End end);
    void note_progress();

    EventLoop& loop_;
    UniqueFd fd_;
    Callbacks callbacks_;
    Framer framer_;
    std::string undelivered_; // arrived, behind a message after which we were held
    std::string unwritten_;
    std::size_t written_ = 0; // so many bytes of unwritten_ are out already
    std::optional<TimePoint> stalled_since_;
    Watch readable_;
    Watch writable_; // made when first needed, like the next two
    Watch redelivery_;
    Watch hangup_;
    bool held_ = false;
    bool input_ended_ = false; // behind undelivered_ comes nothing more
    bool end_told_ = false;
};

} // namespace livesock

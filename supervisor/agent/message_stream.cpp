#include "supervisor/agent/message_stream.hpp"

#include "supervisor/base/unix_socket.hpp"

#include <cerrno>

#include <sys/socket.h>

namespace livesock {
namespace {

/// One read takes at most this much; nearly every message fits. Shared by all streams: what is
/// left in it after a read is delivered, or copied.
constexpr std::size_t read_size = 32 * 1024;
char read_buffer[read_size];

} // namespace

MessageStream::MessageStream(EventLoop& loop, UniqueFd fd, Callbacks callbacks)
    : loop_(loop)
    , fd_(std::move(fd))
    , callbacks_(std::move(callbacks))
    , readable_(loop.on_readable(fd_.get(), [this] { on_readable(); })) {}

void MessageStream::start() {
    if (is_open() && !input_ended_)
        readable_.resume();
}

void MessageStream::on_readable() {
    if (!held_) {
        // What arrived earlier is delivered first; the loop calls again.
        if (undelivered_.empty())
            receive();
        return;
    }
    // Held, and something is there: the end of the stream is news, a further message can wait.
    char byte = 0;
    const ssize_t count = ::recv(fd_.get(), &byte, 1, MSG_PEEK);
    if (count == 0)
        at_end_of_input();
    else if (count < 0 && !would_block(errno))
        finish(End::gone);
    else if (count > 0) {
        readable_.pause();
        watch_hangup();
    }
}

void MessageStream::receive() {
    const ssize_t count = ::recv(fd_.get(), read_buffer, read_size, 0);
    if (count > 0)
        deliver(std::string_view(read_buffer, static_cast<std::size_t>(count)));
    else if (count == 0)
        at_end_of_input();
    else if (!would_block(errno))
        finish(End::gone);
}

void MessageStream::deliver(std::string_view input) {
    while (is_open() && !held_) {
        const std::optional<Message> message = framer_.next(input);
        if (!message)
            break;
        callbacks_.message(*message);
    }
    if (!is_open())
        return;
    undelivered_ = input;
    note_progress();
    if (framer_.malformed())
        finish(End::malformed);
    else if (input_ended_ && undelivered_.empty())
        check_hangup();
}

void MessageStream::watch_hangup() {
    if (!hangup_)
        hangup_ = loop_.on_change(fd_.get(), [this] { check_hangup(); });
    // While something is unwritten, its writing finds out: see EventLoop::on_change().
    if (unwritten_.empty())
        hangup_.resume();
}

void MessageStream::at_end_of_input() {
    input_ended_ = true;
    readable_.pause();
    // Where nothing is owed it makes no difference, and most connections end so.
    if (!held_ && undelivered_.empty() && unwritten_.empty())
        finish(End::half_closed);
    else
        check_hangup();
}

/// Tells a client that only shut down its writing half from one that is gone, and stays watching.
void MessageStream::check_hangup() {
    if (is_hung_up(fd_.get())) {
        finish(End::gone);
        return;
    }
    watch_hangup();
    if (input_ended_ && undelivered_.empty() && !end_told_)
        finish(End::half_closed);
}

void MessageStream::hold() {
    held_ = true;
}

void MessageStream::release() {
    if (!held_ || !is_open())
        return;
    held_ = false;
    if (!undelivered_.empty()) {
        // Later, not here: a client that sends a thousand requests in one write would otherwise
        // have us a thousand calls deep.
        if (!redelivery_)
            redelivery_ = loop_.on_demand([this] {
                const std::string input = std::move(undelivered_);
                undelivered_.clear();
                deliver(input);
            });
        redelivery_.trigger();
    }
    if (input_ended_)
        return;
    hangup_.pause();
    readable_.resume();
}

void MessageStream::send(std::string_view frame) {
    if (!is_open())
        return;
    if (unwritten_.empty()) {
        const ssize_t count = ::send(fd_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
        if (count >= 0)
            frame.remove_prefix(static_cast<std::size_t>(count));
        // A connection that is broken says so when it is read next: callbacks come from the loop.
        else if (!would_block(errno))
            return;
        if (frame.empty())
            return;
    }
    unwritten_ += frame;
    note_progress();
    if (!writable_)
        writable_ = loop_.on_writable(fd_.get(), [this] { on_writable(); });
    hangup_.pause();
    writable_.resume();
}

void MessageStream::on_writable() {
    const ssize_t count =
        ::send(fd_.get(), unwritten_.data() + written_, unwritten_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && would_block(errno))
        return;
    if (count < 0) {
        finish(End::gone);
        return;
    }
    written_ += static_cast<std::size_t>(count);
    stalled_since_ = Clock::now();
    if (written_ < unwritten_.size())
        return;
    std::string().swap(unwritten_);
    written_ = 0;
    writable_.pause();
    if (input_ended_)
        watch_hangup();
    note_progress();
    callbacks_.drained();
}

void MessageStream::note_progress() {
    const bool stalled = framer_.in_message() || !unwritten_.empty();
    if (!stalled)
        stalled_since_.reset();
    else if (!stalled_since_)
        stalled_since_ = Clock::now();
}

void MessageStream::finish(End end) {
    end_told_ = true;
    input_ended_ = true;
    readable_.pause();
    if (end != End::half_closed) {
        writable_.pause();
        hangup_.pause();
    }
    callbacks_.end(end);
}

void MessageStream::close() {
    readable_.pause();
    writable_.pause();
    redelivery_.pause();
    hangup_.pause();
    fd_.reset();
    unwritten_.clear();
    undelivered_.clear();
    stalled_since_.reset();
}

} // namespace livesock

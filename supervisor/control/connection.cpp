#include "supervisor/control/connection.hpp"

#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace livesock {

ControlConnection::ControlConnection(EventLoop& loop, UniqueFd fd, Callbacks callbacks)
    : fd_(std::move(fd))
    , callbacks_(std::move(callbacks))
    , readable_(loop.on_readable(fd_.get(), [this] { on_readable(); }))
    , writable_(loop.on_writable(fd_.get(), [this] { write_some(); }))
    , hangup_(loop.on_change(fd_.get(), [this] { on_change(); }))
    , next_line_(loop.on_demand([this] { next_line(); })) {
    watch_input();
}

/// One more line may wait behind the one that is being answered, not any number of them. Where
/// nothing more is read, the client's end is news all the same.
void ControlConnection::watch_input() {
    if (!input_ended_ && received_.size() <= longest_control_line) {
        hangup_.pause();
        readable_.resume();
        return;
    }
    readable_.pause();
    // Else its writing finds out: see EventLoop::on_change().
    if (unwritten_.empty())
        hangup_.resume();
}

void ControlConnection::on_readable() {
    char buffer[4096];
    const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (count < 0 && would_block(errno))
        return;
    if (count <= 0) {
        on_end();
        return;
    }
    received_.append(buffer, static_cast<std::size_t>(count));
    watch_input();
    next_line();
}

/// A client that only shut down its writing half still wants its answer; one that is gone is let
/// go at once, however long its answer would have taken.
void ControlConnection::on_end() {
    input_ended_ = true;
    if ((!awaits_answer_ && !has_line()) || is_hung_up(fd_.get()))
        close();
    else
        watch_input();
}

void ControlConnection::on_change() {
    if (is_hung_up(fd_.get()))
        close();
}

void ControlConnection::next_line() {
    if (awaits_answer_ || is_ending_)
        return;
    const std::size_t end = received_.find('\n');
    if (std::min(end, received_.size()) > longest_control_line) {
        awaits_answer_ = true;
        callbacks_.oversized();
        return;
    }
    if (end == std::string::npos)
        return;
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    awaits_answer_ = true;
    callbacks_.line(line);
}

void ControlConnection::receive(const std::string& line) {
    received_ += line;
    received_ += '\n';
    next_line();
}

void ControlConnection::answer(const std::string& line) {
    if (!fd_)
        return;
    unwritten_ += line;
    unwritten_ += '\n';
    write_some();
}

void ControlConnection::close_when_written() {
    is_ending_ = true;
    readable_.pause();
    if (fd_ && unwritten_.empty())
        close();
}

void ControlConnection::write_some() {
    const ssize_t count = ::send(fd_.get(), unwritten_.data(), unwritten_.size(), MSG_NOSIGNAL);
    if (count < 0 && !would_block(errno)) {
        close();
        return;
    }
    unwritten_.erase(0, count > 0 ? static_cast<std::size_t>(count) : 0);
    if (!unwritten_.empty()) {
        hangup_.pause();
        writable_.resume();
        return;
    }
    writable_.pause();
    if (is_ending_ || (input_ended_ && !has_line())) {
        close();
        return;
    }
    awaits_answer_ = false;
    watch_input();
    next_line_.trigger();
}

void ControlConnection::close() {
    if (!fd_)
        return;
    readable_.pause();
    writable_.pause();
    hangup_.pause();
    next_line_.pause();
    is_ending_ = true;
    fd_.reset();
    callbacks_.closed();
}

} // namespace livesock

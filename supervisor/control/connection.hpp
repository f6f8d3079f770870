// One connection to control.sock: lines in, lines out.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace livesock {

/// The longest line that a client of the control socket may send.
inline constexpr std::size_t longest_control_line = 64 * 1024;

/// Hands over one line at a time; the next when that one is answered.
class ControlConnection {
  public:
    struct Callbacks {
        std::function<void(std::string_view line)> line; ///< without its newline
        std::function<void()> oversized;                 ///< answer, and close_when_written()
        std::function<void()> closed;                    ///< called once; destroy it later
    };
    ControlConnection(EventLoop& loop, UniqueFd fd, Callbacks callbacks);

    /// Answers the line that was handed over last.
    void answer(const std::string& line);
    /// Takes `line` as if it had been received.
    void receive(const std::string& line);
    /// Takes no further line, and closes as soon as all answers are out.
    void close_when_written();
    /// Closes at once, whatever was asked.
    void close();
    /// Nothing was received that is not answered, and nothing is to be written.
    bool is_quiet() const {
        return fd_ && !awaits_answer_ && !is_ending_ && !input_ended_ && received_.empty() &&
               unwritten_.empty();
    }
    /// Something was received behind what was handed over last.
    bool has_more() const { return !received_.empty(); }
    int fd() const { return fd_.get(); }
    bool is_open() const { return static_cast<bool>(fd_); }
    /// A line was handed over and is not answered yet.
    bool owes_answer() const { return awaits_answer_ && unwritten_.empty(); }

  private:
    void watch_input();
    void on_readable();
    void on_end();
    void on_change();
    void next_line();
    void write_some();
    bool has_line() const { return received_.find('\n') != std::string::npos; }

    UniqueFd fd_;
    Callbacks callbacks_;
    std::string received_;
    std::string unwritten_;
    Watch readable_;
    Watch writable_;
    Watch hangup_;
    Watch next_line_;
    bool awaits_answer_ = false;
    bool input_ended_ = false;
    bool is_ending_ = false;
};

} // namespace livesock

#include "supervisor/upstream/output_log.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <utility>

#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_size = 4096;
constexpr int most_last_reads = 16; // 64 KiB: a pipe full
constexpr auto pause_between_reads = 10ms;

} // namespace

bool LineBudget::take(TimePoint now) {
    if (!since_ || now - *since_ >= period) {
        since_ = now;
        taken_ = 0;
    }
    if (taken_ < most_lines) {
        ++taken_;
        return true;
    }
    ++left_out_;
    return false;
}

int LineBudget::left_out(TimePoint now) {
    return since_ && now - *since_ >= period ? std::exchange(left_out_, 0) : 0;
}

OutputLog::OutputLog(EventLoop& loop, UniqueFd pipe, std::string name, LineBudget& budget)
    : pipe_(std::move(pipe))
    , name_(std::move(name))
    , budget_(budget)
    , readable_(loop.on_readable(pipe_.get(),
                                 [this] {
                                     readable_.pause();
                                     if (receive() != Arrival::end)
                                         again_.start(pause_between_reads);
                                 }))
    , again_(loop.timer([this] { readable_.resume(); })) {
    readable_.resume();
}

OutputLog::Arrival OutputLog::receive() {
    char buffer[read_size];
    const ssize_t count = ::read(pipe_.get(), buffer, sizeof buffer);
    if (count < 0 && would_block(errno))
        return Arrival::nothing;
    if (count <= 0)
        return Arrival::end;
    take(std::string_view(buffer, static_cast<std::size_t>(count)));
    return Arrival::bytes;
}

void OutputLog::take(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const std::string_view piece = bytes.substr(0, end);
        if (line_.size() < longest_output_line)
            line_ += piece.substr(0, longest_output_line - line_.size());
        if (end == std::string_view::npos)
            return;
        log_line();
        bytes.remove_prefix(end + 1);
    }
}

void OutputLog::log_line() {
    while (line_.ends_with('\r'))
        line_.pop_back();
    const std::string line = std::exchange(line_, {});
    if (line.empty())
        return;
    const TimePoint now = Clock::now();
    if (const int left_out = budget_.left_out(now); left_out > 0)
        log::info("{}: {} further lines were left out", name_, left_out);
    if (budget_.take(now))
        log::info("{}: {}", name_, escaped(line, longest_output_line));
}

void OutputLog::finish() {
    int reads = 0;
    while (reads < most_last_reads && receive() == Arrival::bytes)
        ++reads;
    log_line();
    readable_.pause();
    again_.pause();
}

} // namespace livesock

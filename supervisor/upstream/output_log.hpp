// What a program of ours prints, as lines of our log.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Lines longer than this are cut.
inline constexpr std::size_t longest_output_line = 512;

/// How many lines reach the log: so many in a time, however many processes there are.
class LineBudget {
  public:
    static constexpr int most_lines = 20;
    static constexpr std::chrono::seconds period{10};

    /// Whether one more line may be logged at `now`; one that may not is counted.
    bool take(TimePoint now);
    /// How many were counted in periods that are over by `now`; counting begins anew.
    int left_out(TimePoint now);

  private:
    std::optional<TimePoint> since_;
    int taken_ = 0;
    int left_out_ = 0;
};

/// Logs at info, escaped, what arrives at the reading end of a pipe. It is read at a pace at which
/// a program that prints without end costs next to nothing, and waits.
class OutputLog {
  public:
    /// `name` begins each line. `budget` outlives this.
    OutputLog(EventLoop& loop, UniqueFd pipe, std::string name, LineBudget& budget);

    /// Logs what is in the pipe now, at most a pipe full of it, and reads no more: its program has
    /// ended.
    void finish();

  private:
    enum class Arrival { bytes, nothing, end };

    Arrival receive();
    void take(std::string_view bytes);
    void log_line();

    UniqueFd pipe_;
    std::string name_;
    LineBudget& budget_;
    std::string line_; // the beginning of one that is not at its end yet
    Watch readable_;
    Watch again_;
};

} // namespace livesock

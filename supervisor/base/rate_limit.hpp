// So many a minute, and no more.
#pragma once

#include "supervisor/base/clock.hpp"

#include <cstddef>
#include <optional>

namespace livesock {

/// A bucket that holds a minute's worth, and fills up evenly.
class RateLimit {
  public:
    RateLimit(std::size_t a_minute, TimePoint now);

    /// Takes one if there is one; else how long to wait for it.
    std::optional<Duration> take(TimePoint now);

    /// What is in it is kept, as far as it fits.
    void set(std::size_t a_minute, TimePoint now);

  private:
    void fill(TimePoint now);

    double a_minute_;
    double left_;
    TimePoint filled_at_;
};

} // namespace livesock

// How long to wait before a bus is subscribed to again.
#pragma once

#include "supervisor/base/clock.hpp"

#include <optional>

namespace livesock {

/// A second at first, then twice as long each time, up to 30, until a subscription has lasted for a
/// minute.
class ReconnectPause {
  public:
    static constexpr std::chrono::seconds first{1};
    static constexpr std::chrono::seconds longest{30};
    static constexpr std::chrono::seconds quiet{60};

    /// The pause after an attempt. `lasted`: for how long it was subscribed; nothing if it was not.
    Duration after(std::optional<Duration> lasted);

  private:
    Duration next_ = first;
};

} // namespace livesock

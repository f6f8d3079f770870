#include "supervisor/broker/reconnect_pause.hpp"

#include <algorithm>
#include <utility>

namespace livesock {

Duration ReconnectPause::after(std::optional<Duration> lasted) {
    if (lasted && *lasted >= quiet)
        next_ = first;
    return std::exchange(next_, std::min<Duration>(next_ * 2, longest));
}

} // namespace livesock

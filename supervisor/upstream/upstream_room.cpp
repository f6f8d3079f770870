#include "supervisor/upstream/upstream_room.hpp"

namespace livesock {

void UpstreamRoom::limit(std::size_t most) {
    most_ = most;
    if (upstreams_ + 1 >= most_)
        spare_.drop();
}

UniqueFd UpstreamRoom::take_spare() {
    UniqueFd taken = spare_.take();
    if (taken)
        opened();
    return taken;
}

void UpstreamRoom::keep_no_spare() {
    may_keep_ = false;
    spare_.drop();
}

} // namespace livesock

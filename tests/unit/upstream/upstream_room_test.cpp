#include "supervisor/upstream/upstream_room.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

struct Room {
    EventLoop loop = make_loop();
    UpstreamRoom room;
    FarEnd agent;
    explicit Room(std::size_t most)
        : room(loop, most) {}
    void keep() {
        auto [ours, theirs] = make_connection();
        agent = std::move(theirs);
        room.keep(std::move(ours));
    }
};

} // namespace

TEST_CASE("one connection of the limit is kept for our own questions") {
    Room r(3);
    CHECK(r.room.most_upstreams() == 2);
    r.room.opened();
    CHECK(r.room.has_room());
    r.room.opened();
    CHECK_FALSE(r.room.has_room());
    r.room.closed();
    CHECK(r.room.has_room());
}

TEST_CASE("a spare connection is room, and counts when it is taken") {
    Room r(2);
    CHECK(r.room.wants_spare());
    r.keep();
    CHECK_FALSE(r.room.wants_spare());
    CHECK(r.room.has_room());
    CHECK(r.room.take_spare());
    CHECK_FALSE(r.room.has_room());
    CHECK_FALSE(r.room.take_spare());
    r.room.closed();
    CHECK(r.room.has_room());
}

TEST_CASE("none is kept ready while a request is out there, or where there is no room") {
    Room r(2);
    r.room.request_began();
    CHECK_FALSE(r.room.wants_spare());
    r.room.request_ended();
    CHECK(r.room.wants_spare());
    r.room.opened();
    CHECK_FALSE(r.room.wants_spare());
}

TEST_CASE("a smaller limit closes the spare connection that is too many, and no other") {
    Room r(4);
    r.room.opened();
    r.keep();
    r.room.limit(3);
    CHECK_FALSE(r.agent.at_end());
    r.room.limit(2);
    CHECK(r.agent.at_end());
    CHECK_FALSE(r.room.has_room());
}

TEST_CASE("no spare one is kept any more once that was said") {
    Room r(4);
    r.keep();
    r.room.keep_no_spare();
    CHECK(r.agent.at_end());
    CHECK_FALSE(r.room.wants_spare());
    CHECK(r.room.has_room());
}

#include "supervisor/proxy/session_bindings.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("a new connection gets every binding in its order") {
    SessionBindings bindings;
    CHECK(bindings.empty());
    CHECK(bindings.next() == nullptr);
    bindings.add("one", true);
    bindings.add("two", false);
    CHECK(bindings.next() == nullptr); // the present one has got them
    bindings.begin_connection();
    REQUIRE(bindings.next() != nullptr);
    CHECK(*bindings.next() == "one");
    CHECK(bindings.take_answer(true));
    CHECK(*bindings.next() == "two");
    CHECK(bindings.take_answer(false));
    CHECK(bindings.next() == nullptr);
}

TEST_CASE("what one agent has accepted no other may refuse") {
    SessionBindings bindings({{"one", false}});
    REQUIRE(bindings.next() != nullptr);
    CHECK(bindings.take_answer(true));
    CHECK(bindings.all()[0].was_accepted);
    bindings.begin_connection();
    CHECK_FALSE(bindings.take_answer(false));
    CHECK(bindings.all()[0].was_accepted);
    CHECK(*bindings.next() == "one");
}

TEST_CASE("there is room for sixteen, and for 64 KiB") {
    SessionBindings many;
    for (int i = 0; i < 16; ++i) {
        CHECK(many.has_room_for("x"));
        many.add("x", true);
    }
    CHECK_FALSE(many.has_room_for("x"));
    SessionBindings large;
    large.add(std::string(60 * 1024, 'x'), true);
    CHECK(large.has_room_for(std::string(4 * 1024, 'x')));
    CHECK_FALSE(large.has_room_for(std::string(4 * 1024 + 1, 'x')));
}

#include "supervisor/proxy/list_ahead.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

const TimePoint start{};
const std::string list = make_frame(MessageType::identities_answer, std::string(4, '\0'));
const std::string success = make_frame(MessageType::success);

} // namespace

TEST_CASE("what was not asked for is not taken") {
    ListAhead ahead;
    CHECK(ahead.is_idle());
    CHECK(!ahead.is_coming());
    CHECK(!ahead.takes(Message(list), true, true, start));
    CHECK(!ahead.takes(Message(list), false, false, start));
    CHECK(!ahead.take(start));
}

TEST_CASE("the answer to the request before it is the client's") {
    ListAhead ahead;
    ahead.asked();
    CHECK(!ahead.is_idle());
    CHECK(!ahead.is_coming());
    CHECK(!ahead.takes(Message(success), true, false, start));
    CHECK(ahead.is_coming());
    SUBCASE("and it is kept for a list that comes later, once") {
        CHECK(ahead.takes(Message(list), false, false, start));
        CHECK(!ahead.is_coming());
        CHECK(ahead.take(start + 1s) == list);
        CHECK(!ahead.take(start + 1s));
        CHECK(ahead.is_idle());
    }
    SUBCASE("but not for long") {
        CHECK(ahead.takes(Message(list), false, false, start));
        CHECK(!ahead.take(start + 2s));
        CHECK(ahead.is_idle());
    }
    SUBCASE("and it answers a list that waits for it") {
        CHECK(!ahead.takes(Message(list), true, true, start));
        CHECK(ahead.is_idle());
    }
    SUBCASE("and it is passed over where the client waits for something else") {
        CHECK(ahead.takes(Message(list), true, false, start));
        CHECK(ahead.is_idle());
        CHECK(!ahead.take(start));
    }
    SUBCASE("and a refusal is not kept") {
        CHECK(ahead.takes(Message(failure_frame()), false, false, start));
        CHECK(!ahead.take(start));
    }
}

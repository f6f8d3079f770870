#include "supervisor/proxy/failover.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr RequestKind all_kinds[] = {RequestKind::list, RequestKind::sign,
                                     RequestKind::session_bind, RequestKind::query,
                                     RequestKind::other};

} // namespace

TEST_CASE("what was not sent may be taken to another agent, whatever it is") {
    for (const RequestKind kind : all_kinds)
        CHECK_MESSAGE(may_be_repeated({.kind = kind, .was_sent = false}), name_of(kind));
}

TEST_CASE("what was sent may be sent again, but for what changes an agent") {
    for (const RequestKind kind : all_kinds)
        CHECK_MESSAGE(may_be_repeated({.kind = kind, .was_sent = true}) ==
                          (kind != RequestKind::other),
                      name_of(kind));
}

TEST_CASE("a request waits for the answers of three agents and no more") {
    for (const RequestKind kind : all_kinds) {
        CHECK(may_be_repeated({.kind = kind, .attempts = 3, .timeouts = 2}));
        CHECK(!may_be_repeated({.kind = kind, .attempts = 3, .timeouts = 3}));
    }
}

TEST_CASE("a request is taken to sixteen agents and no more") {
    for (const RequestKind kind : all_kinds) {
        CHECK_MESSAGE(may_be_repeated({.kind = kind, .attempts = most_attempts - 1}),
                      name_of(kind));
        CHECK_MESSAGE(!may_be_repeated({.kind = kind, .attempts = most_attempts}), name_of(kind));
        CHECK_MESSAGE(!may_be_repeated({.kind = kind, .attempts = most_attempts + 1}),
                      name_of(kind));
    }
    CHECK(most_attempts == 16);
}

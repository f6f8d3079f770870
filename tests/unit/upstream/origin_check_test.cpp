#include "supervisor/upstream/origin_check.hpp"

#include "supervisor/agent/wire.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("our own question is known, with the agent to which it was put") {
    const OriginCheck check;
    CHECK(check.asked(Message(check.question(7))) == 7);
    CHECK(check.asked(Message(check.question(~std::uint64_t{0}))) == ~std::uint64_t{0});
}

TEST_CASE("another supervisor's question is like any other request") {
    const OriginCheck check;
    const OriginCheck other;
    CHECK_FALSE(check.asked(Message(other.question(7))));
}

TEST_CASE("what only looks like it is no question of ours") {
    const OriginCheck check;
    const std::string question = check.question(7);
    CHECK_FALSE(check.asked(Message(query_frame())));
    CHECK_FALSE(check.asked(Message(request_identities_frame())));
    const std::string_view contents = Message(question).contents();
    for (std::size_t size = 0; size < contents.size(); ++size) {
        const std::string cut = make_frame(MessageType::extension, contents.substr(0, size));
        CHECK_FALSE(check.asked(Message(cut)));
    }
    const std::string other_type = make_frame(MessageType::sign_request, contents);
    CHECK_FALSE(check.asked(Message(other_type)));
}

TEST_CASE("requests are counted") {
    OriginCheck check;
    CHECK(check.requests() == 0);
    check.request_came();
    check.request_came();
    CHECK(check.requests() == 2);
}

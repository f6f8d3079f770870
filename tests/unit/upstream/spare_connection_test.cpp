#include "supervisor/upstream/spare_connection.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

struct KeptSpare {
    EventLoop loop = make_loop();
    SpareConnection spare{loop};
    FarEnd agent;
    void keep() {
        auto [ours, theirs] = make_connection();
        agent = std::move(theirs);
        spare.keep(std::move(ours));
    }
};

} // namespace

TEST_CASE("a spare connection is given away once") {
    KeptSpare kept;
    CHECK(!kept.spare);
    CHECK(!kept.spare.take());
    kept.keep();
    settle(kept.loop);
    CHECK(kept.spare);
    const UniqueFd taken = kept.spare.take();
    CHECK(taken);
    CHECK(!kept.spare);
    CHECK(!kept.spare.take());
    CHECK(!kept.agent.at_end());
}

TEST_CASE("a spare connection that the agent ends, or talks on, is dropped") {
    KeptSpare kept;
    kept.keep();
    SUBCASE("ends") {
        kept.agent.close();
    }
    SUBCASE("talks") {
        kept.agent.send("what nobody asked for");
    }
    CHECK(run_until(kept.loop, [&] { return !kept.spare; }));
    settle(kept.loop);
    kept.keep();
    CHECK(kept.spare);
}

TEST_CASE("a spare connection that is dropped, or replaced, is closed") {
    KeptSpare kept;
    kept.keep();
    SUBCASE("dropped") {
        kept.spare.drop();
        CHECK(run_until(kept.loop, [&] { return kept.agent.at_end(); }));
    }
    SUBCASE("replaced") {
        FarEnd former = std::move(kept.agent);
        kept.keep();
        CHECK(run_until(kept.loop, [&] { return former.at_end(); }));
        CHECK(kept.spare);
    }
}

#include "supervisor/proxy/merged_list.hpp"

#include "tests/support/fake_agent.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

const Identity ann{make_blob('a'), "ann"};
const Identity bob{make_blob('b'), "bob"};
const Identity eve{make_blob('e'), "eve"};

} // namespace

TEST_CASE("keys stand in the order in which agents answered, each once") {
    MergedList list;
    CHECK(!list.has_answers());
    list.add(7, {ann, bob});
    list.add(8, {{bob.blob, "bob at home"}, eve});
    CHECK(list.has_answers());
    CHECK(list.frame() == identities_answer({ann, bob, eve}));
    CHECK(list.agent_of(ann.blob) == 7);
    CHECK(list.agent_of(bob.blob) == 7);
    CHECK(list.agent_of(eve.blob) == 8);
    CHECK(!list.agent_of(make_blob('x')));
}

TEST_CASE("an agent without keys is an answer too") {
    MergedList list;
    list.add(1, {});
    CHECK(list.has_answers());
    CHECK(list.frame() == identities_answer({}));
}

TEST_CASE("the answer is never longer than a message may be") {
    MergedList list;
    for (char fill = 'a'; fill < 'g'; ++fill)
        list.add(1, {{make_blob(fill), std::string(60'000, fill)}});
    CHECK(list.frame().size() <= length_field + longest_message);
    CHECK(list.agent_of(make_blob('d')));
    CHECK(!list.agent_of(make_blob('e')));
    // A short one still fits.
    list.add(2, {ann, eve});
    CHECK(list.agent_of(eve.blob) == 2);
    const std::string frame = list.frame();
    CHECK(parse_identities(Message(frame))->size() == 5);
}

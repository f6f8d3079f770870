#include "supervisor/upstream/pin.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

AgentNames laptop() {
    return {.path = "/tmp/ssh-a/agent.1",
            .label = "laptop (10.0.0.5) on pts/3",
            .address = "10.0.0.5",
            .host = "laptop",
            .tty = "pts/3",
            .keys = {"SHA256:AAAA", "zoe@laptop"}};
}

AgentNames tower() {
    return {.path = "/tmp/ssh-b/agent.2",
            .label = "10.0.0.9 on pts/4",
            .address = "10.0.0.9",
            .tty = "pts/4",
            .keys = {"SHA256:BBBB", "zoe@laptop"}};
}

} // namespace

TEST_CASE("an agent has a name of every kind") {
    const AgentNames names = laptop();
    CHECK(match(names, "/tmp/ssh-a/agent.1") == NameKind::path);
    CHECK(match(names, "laptop (10.0.0.5) on pts/3") == NameKind::label);
    CHECK(match(names, "10.0.0.5") == NameKind::address);
    CHECK(match(names, "laptop") == NameKind::host);
    CHECK(match(names, "pts/3") == NameKind::tty);
    CHECK(match(names, "/dev/pts/3") == NameKind::tty);
    CHECK(match(names, "SHA256:AAAA") == NameKind::key);
    CHECK(match(names, "zoe@laptop") == NameKind::key);
    for (const char* other : {"", "pts/33", "10.0.0", "LAPTOP", "/dev/", "SHA256:"})
        CHECK(!match(names, other));
    CHECK(!match(AgentNames{}, ""));
    CHECK(!match(AgentNames{.keys = {""}}, ""));
}

TEST_CASE("a word means all agents of which it is the most telling name") {
    const std::vector<AgentNames> agents{laptop(), tower(), laptop()};
    CHECK(meaning(agents, "zoe@laptop")->among == std::vector<std::size_t>{0, 1, 2});
    CHECK(meaning(agents, "10.0.0.5")->among == std::vector<std::size_t>{0, 2});
    CHECK(meaning(agents, "pts/4")->among == std::vector<std::size_t>{1});
    CHECK(!meaning(agents, "nobody"));
    SUBCASE("a host counts more than the comment of a key") {
        std::vector<AgentNames> odd = agents;
        odd[1].keys.push_back("laptop");
        const auto meant = meaning(odd, "laptop");
        CHECK(meant->kind == NameKind::host);
        CHECK(meant->among == std::vector<std::size_t>{0, 2});
        std::swap(odd[0], odd[1]);
        CHECK(meaning(odd, "laptop")->among == std::vector<std::size_t>{1, 2});
    }
}

TEST_CASE("what names one login stays with its client") {
    for (const auto& [word, kind] :
         {std::pair{"pts/3", NameKind::tty}, std::pair{"/tmp/ssh-a/agent.1", NameKind::path},
          std::pair{"laptop (10.0.0.5) on pts/3", NameKind::label}}) {
        const Pin pin = pin_to(word, kind, laptop());
        CHECK(fit(pin, laptop()) == Fit::exact);
        AgentNames next = laptop();
        next.path = "/tmp/ssh-c/agent.3";
        next.tty = "pts/9";
        next.label = "laptop (10.0.0.5) on pts/9";
        CHECK(fit(pin, next) == Fit::client);
        AgentNames thief = tower();
        thief.tty = "pts/3";
        CHECK(fit(pin, thief) == Fit::none);
    }
}

TEST_CASE("an address, a host and a key mean whatever has it") {
    for (const auto& [word, kind] :
         {std::pair{"10.0.0.5", NameKind::address}, std::pair{"laptop", NameKind::host},
          std::pair{"SHA256:AAAA", NameKind::key}}) {
        const Pin pin = pin_to(word, kind, laptop());
        CHECK(pin.path.empty());
        AgentNames next = laptop();
        next.path = "/tmp/ssh-c/agent.3";
        CHECK(fit(pin, next) == Fit::exact);
        CHECK(fit(pin, tower()) == Fit::none);
    }
}

TEST_CASE("an agent without a client has nobody to follow") {
    const Pin pin = pin_to("/a", NameKind::path, AgentNames{.path = "/a"});
    CHECK(fit(pin, AgentNames{.path = "/b"}) == Fit::none);
    CHECK(fit(Pin{}, AgentNames{}) == Fit::none);
    CHECK(fit(Pin{}, laptop()) == Fit::none);
}

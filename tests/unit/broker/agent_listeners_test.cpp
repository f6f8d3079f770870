#include "supervisor/broker/agent_listeners.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;

namespace {

ListenSettings at(const std::string& path) {
    ListenSettings settings;
    settings.path = path;
    return settings;
}

struct Listeners {
    TempDir temp;
    EventLoop loop = make_loop();
    std::vector<FarEnd> taken;
    std::string one = temp.entry("one.sock");
    std::string two = temp.entry("two.sock");
    std::unique_ptr<AgentListeners> listeners = make();

    std::unique_ptr<AgentListeners> make() {
        return std::make_unique<AgentListeners>(
            loop,
            [this](UniqueFd client, const std::string&) { taken.emplace_back(std::move(client)); },
            [] { return true; });
    }
    /// Whether a client at `path` is served.
    bool serves(const std::string& path) {
        const std::size_t before = taken.size();
        const FarEnd client(path);
        return client.is_open() && run_until(loop, [&] { return taken.size() > before; });
    }
    std::string reason(std::size_t which) const { return listeners->list().at(which).reason; }
};

bool is_there(const std::string& path) {
    return std::filesystem::is_socket(std::filesystem::symlink_status(path));
}

} // namespace

TEST_CASE("there are the listeners that are configured, and no others") {
    Listeners all;
    all.listeners->apply({at(all.one), at(all.two)});
    CHECK(all.serves(all.one));
    CHECK(all.serves(all.two));
    REQUIRE(all.listeners->list().size() == 2);
    CHECK(all.listeners->list()[1].name == all.two);
    CHECK(all.listeners->list()[1].kind == "agent");
    CHECK(all.reason(1).empty());
    all.listeners->apply({at(all.two)});
    CHECK_FALSE(is_there(all.one));
    CHECK(all.serves(all.two));
    CHECK(all.listeners->list().size() == 1);
    all.listeners.reset();
    CHECK_FALSE(is_there(all.two));
}

TEST_CASE("what has not changed stays as it is") {
    Listeners all;
    all.listeners->apply({at(all.one)});
    // It waits for its turn.
    const FarEnd client(all.one);
    all.listeners->apply({at(all.two), at(all.one)});
    CHECK(run_until(all.loop, [&] { return all.taken.size() == 1; }));
}

TEST_CASE("what cannot be listened at says why, and keeps nobody else away") {
    Listeners all;
    all.temp.write("one.sock", "a file of somebody's");
    all.listeners->apply({at(all.one), at(all.two)});
    CHECK(all.reason(0).find("no socket") != std::string::npos);
    CHECK(all.reason(1).empty());
    CHECK(all.serves(all.two));
    std::filesystem::remove(all.one);
    all.listeners->apply({at(all.one), at(all.two)});
    CHECK(all.reason(0).empty());
    CHECK(all.serves(all.one));
}

TEST_CASE("a token file that is of no use lets nobody in") {
    Listeners all;
    ListenSettings settings = at(all.one);
    settings.token_file = all.temp.entry("token");
    all.listeners->apply({settings});
    CHECK_FALSE(all.reason(0).empty());
    CHECK_FALSE(is_there(all.one));
    all.temp.write("token", std::string(40, 't'));
    REQUIRE(::chmod(settings.token_file.c_str(), 0600) == 0);
    all.listeners->apply({settings});
    CHECK(all.reason(0).empty());
    SUBCASE("and one that others can read closes it again") {
        REQUIRE(::chmod(settings.token_file.c_str(), 0644) == 0);
        all.listeners->apply({settings});
        CHECK(all.reason(0).find("chmod 600") != std::string::npos);
        CHECK_FALSE(FarEnd(all.one).is_open());
    }
    SUBCASE("and another token is asked for at the same socket") {
        const FarEnd client(all.one);
        all.temp.write("token", std::string(40, 'u'));
        all.listeners->apply({settings});
        CHECK(all.reason(0).empty());
        FarEnd second(all.one);
        CHECK(run_until(all.loop, [&] { return !second.received().empty(); }));
        CHECK(all.taken.empty());
    }
}

TEST_CASE("a socket is given away under a name by which it is inherited, and stays at its path") {
    Listeners all;
    all.listeners->apply({at(all.one)});
    std::string name;
    UniqueFd socket;
    all.listeners->give_away([&](const std::string& given, int fd) {
        name = given;
        socket.reset(::dup(fd));
    });
    CHECK(name.starts_with(AgentListeners::hand_over_prefix));
    const FarEnd client(all.one);
    all.listeners.reset();
    CHECK(is_there(all.one));
    settle(all.loop);
    CHECK(all.taken.empty());
    all.listeners = all.make();
    all.listeners->inherit(name, std::move(socket));
    all.listeners->apply({at(all.one)});
    CHECK(run_until(all.loop, [&] { return all.taken.size() == 1; }));
    all.listeners->apply({});
    CHECK_FALSE(is_there(all.one));
}

TEST_CASE("an inherited socket that nobody wants any more takes its path along") {
    Listeners all;
    std::vector<std::pair<std::string, UniqueFd>> given;
    ListenSettings settings = at(all.two);
    settings.token_file = all.temp.entry("token");
    all.temp.write("token", std::string(40, 't'));
    REQUIRE(::chmod(settings.token_file.c_str(), 0600) == 0);
    all.listeners->apply({at(all.one), settings});
    all.listeners->give_away(
        [&](const std::string& name, int fd) { given.emplace_back(name, UniqueFd(::dup(fd))); });
    all.listeners = all.make();
    for (auto& [name, socket] : given)
        all.listeners->inherit(name, std::move(socket));
    // It cannot be served just now, and a dead socket at its path is of use to nobody.
    std::filesystem::remove(settings.token_file);
    all.listeners->apply({settings});
    CHECK_FALSE(is_there(all.one));
    CHECK_FALSE(is_there(all.two));
}

TEST_CASE("a socket that somebody removes is made again") {
    Listeners all;
    const std::string directory = all.temp.entry("dir");
    std::filesystem::create_directory(directory);
    const std::string path = directory + "/s";
    all.listeners->apply({at(path), at(all.two)});
    SUBCASE("its name alone") {
        std::filesystem::remove(path);
    }
    SUBCASE("it is moved away") {
        std::filesystem::rename(path, all.two + ".moved");
    }
    SUBCASE("while it was given away") {
        std::string name;
        UniqueFd socket;
        all.listeners->give_away([&](const std::string& given, int fd) {
            if (given.ends_with(path)) {
                name = given;
                socket.reset(::dup(fd));
            }
        });
        all.listeners = all.make();
        std::filesystem::remove(path);
        all.listeners->inherit(name, std::move(socket));
        std::filesystem::remove(all.two);
        all.listeners->apply({at(path), at(all.two)});
    }
    REQUIRE(run_until(all.loop, [&] { return is_there(path); }));
    CHECK(all.serves(path));
    CHECK(all.serves(all.two));
    std::filesystem::remove(path);
    REQUIRE(run_until(all.loop, [&] { return is_there(path); }));
    CHECK(all.serves(path));
    all.listeners.reset();
    CHECK_FALSE(is_there(path));
}

TEST_CASE("what somebody else has put at the place of a socket is left alone") {
    Listeners all;
    all.listeners->apply({at(all.one)});
    std::filesystem::remove(all.one);
    all.temp.write("one.sock", "a file of somebody's");
    REQUIRE(run_until(all.loop, [&] { return !all.reason(0).empty(); }));
    CHECK(all.temp.read("one.sock") == "a file of somebody's");
    all.listeners.reset();
    CHECK(all.temp.read("one.sock") == "a file of somebody's");
}

#include "supervisor/upstream/inherited_sockets.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

struct Inherited {
    TempDir temp;
    std::string path = temp.entry("s");
    InheritedSockets sockets;

    Inherited() { add(); }
    void add() {
        Result<UniqueFd> socket = listen_at(path);
        REQUIRE(socket);
        sockets.add("one", std::move(*socket));
    }
    bool is_there() const { return std::filesystem::exists(path); }
};

} // namespace

TEST_CASE("a socket is given to the one that asks for its name, once") {
    Inherited inherited;
    CHECK_FALSE(inherited.sockets.take("other"));
    const UniqueFd socket = inherited.sockets.take("one");
    CHECK(socket);
    CHECK_FALSE(inherited.sockets.take("one"));
    inherited.sockets.clear();
    CHECK(inherited.is_there());
    CHECK(dial(inherited.path));
}

TEST_CASE("what nobody has taken is closed, and its path goes with it") {
    Inherited inherited;
    inherited.sockets.clear();
    CHECK_FALSE(inherited.is_there());
    CHECK_FALSE(inherited.sockets.take("one"));
}

TEST_CASE("what is somebody else's at the path stays") {
    Inherited inherited;
    SUBCASE("a listener that serves it now") {
        const Result<UniqueFd> other = listen_at(inherited.path);
        inherited.sockets.clear();
        CHECK(dial(inherited.path));
    }
    SUBCASE("a file") {
        std::filesystem::remove(inherited.path);
        inherited.temp.write("s", "a file of somebody's");
        inherited.sockets.clear();
        CHECK(inherited.temp.read("s") == "a file of somebody's");
    }
    SUBCASE("a symlink") {
        std::filesystem::remove(inherited.path);
        std::filesystem::create_symlink("nowhere", inherited.path);
        inherited.sockets.clear();
        CHECK(std::filesystem::is_symlink(inherited.path));
    }
}

TEST_CASE("sockets that are only forgotten leave their paths: another goes on with them") {
    Inherited inherited;
    inherited.sockets = {};
    CHECK(inherited.is_there());
}

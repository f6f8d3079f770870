#include "supervisor/upstream/kept_socket.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

namespace fs = std::filesystem;

struct KeptName {
    TempDir temp;
    EventLoop loop = make_loop();
    std::string path = temp.entry("s");
    UniqueFd listener;
    KeptSocket socket;
    int restored = 0;

    void make() {
        Result<UniqueFd> made = listen_at(path);
        REQUIRE(made);
        listener = std::move(*made);
    }
    void open() {
        make();
        socket.opened(loop, path, [this] {
            ++restored;
            return true;
        });
    }
};

} // namespace

TEST_CASE("a name is ours until something else is there, and goes with us only while it is") {
    KeptName kept;
    kept.make();
    SocketName name(kept.path);
    CHECK(name.is_there());
    SUBCASE("it is ours") {
        name.remove();
        CHECK_FALSE(fs::exists(kept.path));
    }
    SUBCASE("it has disappeared") {
        fs::remove(kept.path);
        CHECK_FALSE(name.is_there());
        name.remove();
    }
    SUBCASE("another socket has taken it") {
        const UniqueFd former = std::move(kept.listener);
        kept.make();
        CHECK_FALSE(name.is_there());
        name.remove();
        CHECK(fs::exists(kept.path));
    }
    CHECK_FALSE(name.is_there());
    name.remove();
    CHECK_FALSE(SocketName().is_there());
}

TEST_CASE("a socket says why there is none, until there is one") {
    KeptName kept;
    CHECK(kept.socket.reason().empty());
    kept.socket.failed(Error{"the address is taken", 0});
    CHECK(kept.socket.reason() == "the address is taken");
    CHECK_FALSE(kept.socket.is_watched());
    SUBCASE("at a path") {
        kept.open();
        CHECK(kept.socket.is_watched());
        CHECK(kept.socket.is_there());
    }
    SUBCASE("without a name") {
        kept.socket.opened(kept.loop, "", [] { return true; });
        CHECK_FALSE(kept.socket.is_watched());
        CHECK_FALSE(kept.socket.is_there());
    }
    CHECK(kept.socket.reason().empty());
}

TEST_CASE("its name is looked after, once in any case, and when it has disappeared") {
    KeptName kept;
    kept.open();
    REQUIRE(run_until(kept.loop, [&] { return kept.restored == 1; }));
    CHECK(kept.socket.is_there());
    fs::remove(kept.path);
    REQUIRE(run_until(kept.loop, [&] { return kept.restored == 2; }));
    CHECK_FALSE(kept.socket.is_there());
    CHECK(kept.socket.is_watched());

    SUBCASE("it is made again") {
        kept.open();
        CHECK(kept.socket.is_there());
        kept.socket.remove_name();
        CHECK_FALSE(fs::exists(kept.path));
    }
    SUBCASE("it cannot be") {
        kept.socket.failed(Error{"no directory", 0});
        CHECK(kept.socket.reason() == "no directory");
        CHECK(kept.socket.is_watched());
    }
}

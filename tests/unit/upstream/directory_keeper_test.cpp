#include "supervisor/upstream/directory_keeper.hpp"

#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

namespace fs = std::filesystem;

struct Kept {
    TempDir temp;
    EventLoop loop = make_loop();
    fs::path parent = temp.entry("parent");
    fs::path directory = parent / "run";
    int calls = 0;
    std::unique_ptr<DirectoryKeeper> keeper;

    Kept() {
        make();
        auto created = DirectoryKeeper::create(loop, directory, [this] {
            ++calls;
            make();
            return true;
        });
        REQUIRE(created);
        keeper = std::move(*created);
    }
    void make() const {
        fs::create_directories(directory);
        std::ofstream(directory / "name").put('x');
    }
};

} // namespace

TEST_CASE("what disappears is looked after") {
    Kept kept;
    SUBCASE("a name") {
        fs::remove(kept.directory / "name");
    }
    SUBCASE("a name that is moved away") {
        fs::rename(kept.directory / "name", kept.parent / "name");
    }
    SUBCASE("the directory") {
        fs::remove_all(kept.directory);
    }
    SUBCASE("the directory, moved") {
        fs::rename(kept.directory, kept.parent / "other");
    }
    SUBCASE("its parent") {
        fs::remove_all(kept.parent);
    }
    SUBCASE("its parent, moved") {
        fs::rename(kept.parent, kept.temp.entry("other"));
    }
    CHECK(run_until(kept.loop, [&] { return kept.calls > 0; }));
    CHECK(fs::exists(kept.directory / "name"));
}

TEST_CASE("what was made again is looked after as well") {
    Kept kept;
    for (int round = 0; round < 3; ++round) {
        const int before = kept.calls;
        fs::remove_all(kept.parent);
        REQUIRE(run_until(kept.loop, [&] { return kept.calls > before; }));
        CHECK(fs::exists(kept.directory / "name"));
    }
}

TEST_CASE("what cannot be restored is tried again") {
    TempDir temp;
    EventLoop loop = make_loop();
    int calls = 0;
    auto keeper = DirectoryKeeper::create(loop, temp.entry("none"), [&] { return ++calls == 2; });
    REQUIRE(keeper);
    (*keeper)->look();
    CHECK(run_until(loop, [&] { return calls == 2; }));
}

TEST_CASE("a file is known by its inode, a symlink is one itself") {
    const TempDir temp;
    const std::string path = temp.entry("file");
    CHECK_FALSE(file_at(path));
    std::ofstream(path).put('x');
    const std::optional<FileId> there = file_at(path);
    REQUIRE(there);
    CHECK_FALSE(there->is_socket);
    CHECK(file_at(path) == there);
    fs::create_symlink(path, temp.entry("link"));
    CHECK(file_at(temp.entry("link")) != there);
}

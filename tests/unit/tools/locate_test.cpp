#include "tools/locate.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

namespace fs = std::filesystem;

/// A directory with files in it, removed at the end.
struct Tree {
    Tree() {
        std::string form = "/tmp/livesock-test-XXXXXX";
        REQUIRE(::mkdtemp(form.data()) != nullptr);
        root = form;
    }
    ~Tree() { fs::remove_all(root); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    std::string add(const std::string& name) const {
        const fs::path path = root + '/' + name;
        fs::create_directories(path.parent_path());
        std::ofstream(path) << "x";
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }
    std::string root;
};

} // namespace

TEST_CASE("in the build tree everything lies beside or below the program") {
    const Tree tree;
    const std::string supervisor = tree.add("build/livesockd");
    const std::string shim = tree.add("build/preload/liblivesock.so");
    const Installation found = locate(tree.root + "/build/livesock");
    CHECK(found.supervisor == supervisor);
    CHECK(found.shim == shim);
}

TEST_CASE("in an installation the shim lies where meson was told, under any prefix") {
    const Tree tree;
    tree.add(LIVESOCK_BINDIR "/preload/liblivesock.so");
    const std::string supervisor = tree.add(LIVESOCK_BINDIR "/livesockd");
    const std::string shim = tree.add(LIVESOCK_SHIM);
    const Installation found = locate(tree.root + "/" LIVESOCK_BINDIR "/livesock");
    CHECK(found.supervisor == supervisor);
    CHECK(found.shim == shim);
}

TEST_CASE("what is not there is left to PATH, or left out") {
    const Tree tree;
    const Installation found = locate(tree.root + "/bin/livesock");
    CHECK(found.supervisor == "livesockd");
    CHECK(found.shim.empty());
}

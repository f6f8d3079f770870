#include "tools/tmux_servers.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("the paths at which sockets listen are found in the kernel's table") {
    using Paths = std::vector<std::string>;
    const std::string table =
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 17 /tmp/tmux-0/default\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 18 /home/a b/tmux\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 19 /tmp/tmux-0/default\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 20 @abstract\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 21\n";
    CHECK(listening_paths(table, {17, 18, 19, 20, 21}) ==
          Paths{"/tmp/tmux-0/default", "/home/a b/tmux"});
    CHECK(listening_paths(table, {18}) == Paths{"/home/a b/tmux"});
    CHECK(listening_paths(table, {}).empty());
}

TEST_CASE("a table that is cut is read as far as it goes") {
    CHECK(listening_paths("", {1}).empty());
    CHECK(listening_paths("\n\n00: 2 0 00010000 0001 01 1", {1}).empty());
    CHECK(listening_paths("00: 2 0 00010000 0001 01 1 /a", {1}) == std::vector<std::string>{"/a"});
}

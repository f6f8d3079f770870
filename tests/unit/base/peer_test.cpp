#include "supervisor/base/peer.hpp"

#include "supervisor/base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("the process at the other end is known") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const Result<Peer> peer = peer_of(ours.get());
    REQUIRE(peer);
    CHECK(peer->pid == ::getpid());
    CHECK(peer->uid == ::geteuid());
    theirs.reset();
    CHECK(peer_of(ours.get())->pid == ::getpid()); // even when it has gone
}

TEST_CASE("what is no socket has no peer") {
    const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(peer_of(file.get()).error().code == ENOTSOCK);
    CHECK(peer_of(-1).error().code == EBADF);
}

TEST_CASE("this user and root are trusted, nobody else") {
    CHECK(is_trusted_uid(::geteuid()));
    CHECK(is_trusted_uid(0));
    CHECK_FALSE(is_trusted_uid(::geteuid() + 1));
    CHECK_FALSE(is_trusted_uid(static_cast<uid_t>(-1)));
}

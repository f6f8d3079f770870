#include "supervisor/base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <fcntl.h>

using namespace livesock;

namespace {

int open_null() {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    return fd;
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

} // namespace

TEST_CASE("a descriptor is closed with its owner") {
    const int fd = open_null();
    {
        const UniqueFd owner(fd);
        CHECK(owner.get() == fd);
        CHECK(owner);
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("an owner of nothing says so") {
    const UniqueFd none;
    CHECK_FALSE(none);
    CHECK(none.get() == -1);
    CHECK_FALSE(UniqueFd(-1));
}

TEST_CASE("a move hands the descriptor over") {
    const int fd = open_null();
    UniqueFd first(fd);
    UniqueFd second(std::move(first));
    CHECK(second.get() == fd);
    const int other = open_null();
    UniqueFd third(other);
    third = std::move(second);
    CHECK(third.get() == fd);
    CHECK_FALSE(is_open(other));
    CHECK(is_open(fd));
}

TEST_CASE("an owner moved to itself keeps what it has") {
    UniqueFd owner(open_null());
    UniqueFd& same = owner;
    owner = std::move(same);
    CHECK(is_open(owner.get()));
}

TEST_CASE("release leaves the descriptor open") {
    UniqueFd owner(open_null());
    const UniqueFd next(owner.release());
    CHECK_FALSE(owner);
    CHECK(is_open(next.get()));
}

TEST_CASE("reset closes and keeps errno") {
    UniqueFd owner(open_null());
    errno = ETIMEDOUT;
    owner.reset();
    CHECK(errno == ETIMEDOUT);
    CHECK_FALSE(owner);
    UniqueFd bad(1'000'000'000);
    bad.reset();
    CHECK(errno == ETIMEDOUT);
}

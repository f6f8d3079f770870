#include "supervisor/base/unix_socket.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace livesock;

namespace {

bool is_private_socket(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
           (status.st_mode & 07777) == 0600;
}

bool is_nonblocking_and_cloexec(const UniqueFd& fd) {
    return (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0 &&
           (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

std::size_t entries(const TempDir& directory) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path()))
        ++count;
    return count;
}

/// Sets the umask until it is destroyed.
class Umask {
  public:
    explicit Umask(mode_t mask)
        : old_(::umask(mask)) {}
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;
    ~Umask() { ::umask(old_); }

  private:
    mode_t old_;
};

} // namespace

TEST_CASE("a listener is private whatever the umask says") {
    const TempDir directory;
    const Umask none(0);
    const Result<UniqueFd> listener = listen_at(directory.entry("s"));
    REQUIRE(listener);
    CHECK(is_private_socket(directory.entry("s")));
    CHECK(is_nonblocking_and_cloexec(*listener));
    CHECK(entries(directory) == 1);
}

TEST_CASE("who dials reaches the listener, without waiting to be accepted") {
    const TempDir directory;
    const Result<UniqueFd> listener = listen_at(directory.entry("s"));
    REQUIRE(listener);
    const Result<UniqueFd> client = dial(directory.entry("s"));
    REQUIRE(client);
    CHECK(is_nonblocking_and_cloexec(*client));
    const UniqueFd accepted(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(accepted);
    CHECK(::write(client->get(), "x", 1) == 1);
    char byte = 0;
    CHECK(::read(accepted.get(), &byte, 1) == 1);
}

TEST_CASE("whatever has the name is replaced") {
    const TempDir directory;
    const std::string path = directory.entry("s");
    SUBCASE("a socket whose listener was killed") {
        REQUIRE(listen_at(path)); // closed at once, the name stays
    }
    SUBCASE("a file") {
        directory.write("s", "x");
    }
    SUBCASE("a symlink, not what it leads to") {
        directory.write("target", "x");
        REQUIRE(::symlink("target", path.c_str()) == 0);
    }
    SUBCASE("what a killed predecessor left half done") {
        directory.write("s.new", "x");
    }
    const Result<UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    CHECK(is_private_socket(path));
    CHECK(dial(path));
    struct stat status {};
    if (::stat(directory.entry("target").c_str(), &status) == 0)
        CHECK(S_ISREG(status.st_mode));
}

TEST_CASE("a listener that cannot be made leaves nothing behind") {
    const TempDir directory;
    SUBCASE("a directory has the name") {
        REQUIRE(::mkdir(directory.entry("s").c_str(), 0700) == 0);
        const Result<UniqueFd> listener = listen_at(directory.entry("s"));
        REQUIRE_FALSE(listener);
        CHECK(listener.error().code == EISDIR);
        CHECK(entries(directory) == 1);
    }
    SUBCASE("there is no such directory") {
        CHECK(listen_at(directory.entry("none/s")).error().code == ENOENT);
        CHECK(entries(directory) == 0);
    }
    SUBCASE("the name, or the temporary one beside it, is no address") {
        const std::size_t room = longest_socket_path - directory.path().size() - 1;
        CHECK(listen_at(directory.entry(std::string(room, 'x'))).error().code == ENAMETOOLONG);
        CHECK(listen_at("").error().code == EINVAL);
        CHECK(listen_at(directory.entry(std::string(room - 4, 'x'))));
    }
}

TEST_CASE("the path is known at which a listener was made") {
    const TempDir temp;
    const Result<UniqueFd> listener = listen_at(temp.entry("s"));
    REQUIRE(listener);
    CHECK(made_path(listener->get()) == temp.entry("s"));
    const Result<UniqueFd> client = dial(temp.entry("s"));
    REQUIRE(client);
    CHECK(made_path(client->get()).empty());
    CHECK(made_path(-1).empty());
}

TEST_CASE("why a dial failed is told by its code") {
    const TempDir directory;
    const std::string path = directory.entry("s");
    const auto code = [&] { return dial(path).error().code; };
    SUBCASE("nothing there") {
        CHECK(code() == ENOENT);
        CHECK(dial(path).error().message.find("'" + path + "'") != std::string::npos);
    }
    SUBCASE("nobody listens any more") {
        REQUIRE(listen_at(path));
        CHECK(code() == ECONNREFUSED);
    }
    SUBCASE("a file") {
        directory.write("s", "");
        CHECK(code() == ECONNREFUSED);
    }
    SUBCASE("a path through a file") {
        CHECK(dial(directory.write("file", "") + "/s").error().code == ENOTDIR);
    }
    SUBCASE("a symlink to itself") {
        REQUIRE(::symlink("s", path.c_str()) == 0);
        CHECK(code() == ELOOP);
    }
    SUBCASE("a datagram socket") {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
        CHECK(code() == EPROTOTYPE);
    }
}

TEST_CASE("what cannot be an address is not dialled") {
    CHECK(dial("").error().code == EINVAL);
    CHECK(dial(std::string(108, 'x')).error().code == ENAMETOOLONG);
    CHECK(dial(std::string(107, 'x')).error().code == ENOENT);
    CHECK(dial(std::string(1'000'000, 'x')).error().code == ENAMETOOLONG);
}

TEST_CASE("a path with a NUL in it is neither cut short nor an abstract address") {
    const TempDir directory;
    const Result<UniqueFd> listener = listen_at(directory.entry("s"));
    REQUIRE(listener);
    CHECK(dial(directory.entry("s") + std::string("\0x", 2)).error().code == EINVAL);
    CHECK(dial(std::string("\0livesock", 9)).error().code == EINVAL);
    CHECK(listen_at(std::string("\0livesock", 9)).error().code == EINVAL);
}

TEST_CASE("a full backlog is told at once, and by its own code") {
    const TempDir directory;
    const std::string path = directory.entry("s");
    const Result<UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    REQUIRE(::listen(listener->get(), 1) == 0); // listen(2) again changes the backlog
    std::vector<UniqueFd> waiting;
    int code = 0;
    while (code == 0 && waiting.size() < 10) {
        Result<UniqueFd> client = dial(path);
        code = client ? 0 : client.error().code;
        if (client)
            waiting.push_back(std::move(*client));
    }
    CHECK(code == EAGAIN);
    CHECK(waiting.size() == 2);
}

TEST_CASE("a connection is hung up only when both directions are closed") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    CHECK_FALSE(is_hung_up(ours.get()));
    REQUIRE(::shutdown(theirs.get(), SHUT_WR) == 0);
    CHECK_FALSE(is_hung_up(ours.get()));
    theirs.reset();
    CHECK(is_hung_up(ours.get()));
}

TEST_CASE("a shortage is our own fault") {
    for (const int code : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
        CHECK(is_shortage(code));
    for (const int code : {0, ENOENT, ECONNREFUSED, EAGAIN})
        CHECK_FALSE(is_shortage(code));
}

TEST_CASE("a socket is one's own where nobody else can put another in its place") {
    const TempDir temp;
    const std::string place = temp.entry("place");
    std::filesystem::create_directories(place + "/inner");
    const std::string path = place + "/inner/s";
    const Result<UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    const std::string resolved = std::filesystem::canonical(path).string();
    const std::string link = temp.entry("link");
    std::filesystem::create_directory_symlink(place, link);
    CHECK(own_socket_at(path) == resolved);
    CHECK(own_socket_at(link + "/inner/s") == resolved);
    CHECK(own_socket_at(place + "/inner") == "");
    CHECK(own_socket_at(place + "/nothing") == "");
    for (const char* const directory : {"/inner", ""}) {
        REQUIRE(::chmod((place + directory).c_str(), 0777) == 0);
        CHECK(own_socket_at(path) == "");
        REQUIRE(::chmod((place + directory).c_str(), 01777) == 0);
        CHECK(own_socket_at(path) == resolved);
    }
    if (::geteuid() != 0)
        return; // only root can give a file away
    constexpr uid_t somebody = 65534;
    REQUIRE(::chown(place.c_str(), somebody, somebody) == 0);
    CHECK(own_socket_at(path) == "");
    REQUIRE(::chown(place.c_str(), 0, 0) == 0);
    REQUIRE(::chown(path.c_str(), somebody, somebody) == 0);
    CHECK(own_socket_at(path) == "");
}

#include "supervisor/upstream/socket_file.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/stranger.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <filesystem>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;

namespace {

struct Place {
    TempDir temp;
    std::string directory = temp.entry("d");
    std::string socket = directory + "/agent.1";
    UniqueFd listener;

    Place() {
        ::mkdir(directory.c_str(), 0700);
        listener = std::move(*listen_at(socket));
    }
};

int code_of(const std::string& path) {
    const Result<SocketFile> file = check_socket(path);
    return file ? 0 : file.error().code;
}

} // namespace

TEST_CASE("a socket of this user in a private directory is taken, and tells when it was made") {
    const Place place;
    const Result<SocketFile> file = check_socket(place.socket);
    REQUIRE(file);
    CHECK(file->path == place.socket);
    const auto age = std::chrono::system_clock::now() - file->born;
    CHECK(age < std::chrono::minutes(1));
    CHECK(age > -std::chrono::minutes(1));
}

TEST_CASE("a symlink is followed to the socket, whose own place is judged") {
    const Place place;
    const std::string link = place.temp.entry("link");
    std::filesystem::create_symlink(place.socket, link);
    const std::string directory_link = place.temp.entry("dlink");
    std::filesystem::create_symlink(place.directory, directory_link);
    REQUIRE(check_socket(link));
    CHECK(check_socket(link)->path == place.socket);
    REQUIRE(check_socket(directory_link + "/agent.1"));
    CHECK(check_socket(directory_link + "/../d/agent.1")->path == place.socket);

    ::chmod(place.directory.c_str(), 0777);
    CHECK(code_of(link) == EPERM);
}

TEST_CASE("a symlink that leads nowhere or round in circles is passed over") {
    const Place place;
    const std::string link = place.directory + "/link";
    std::filesystem::create_symlink("/nonexistent/x", link);
    CHECK(code_of(link) == ENOENT);
    const std::string loop = place.directory + "/loop";
    std::filesystem::create_symlink(loop, loop);
    CHECK(code_of(loop) == ELOOP);
}

TEST_CASE("what is no socket is refused") {
    const Place place;
    CHECK(code_of(place.temp.write("file", "")) == EPERM);
    CHECK(code_of(place.directory) == EPERM);
    const std::string fifo = place.directory + "/fifo";
    ::mkfifo(fifo.c_str(), 0600);
    CHECK(code_of(fifo) == EPERM);
    CHECK(code_of("/dev/null") == EPERM);
}

TEST_CASE("what is not there is told as that") {
    const Place place;
    CHECK(code_of(place.directory + "/none") == ENOENT);
    CHECK(code_of("") == ENOENT);
    CHECK(code_of(place.socket + "/x") == ENOTDIR);
    CHECK(code_of("/" + std::string(5000, 'x')) == ENAMETOOLONG);
}

TEST_CASE("a directory in which others can write is refused, unless it is sticky") {
    const Place place;
    const auto code_with_mode = [&](mode_t mode) {
        REQUIRE(::chmod(place.directory.c_str(), mode) == 0);
        return code_of(place.socket);
    };
    for (const mode_t mode : {0700U, 0755U, 0711U, 01777U, 01770U})
        CHECK_MESSAGE(code_with_mode(mode) == 0, mode);
    for (const mode_t mode : {0770U, 0720U, 0777U, 0702U, 02770U})
        CHECK_MESSAGE(code_with_mode(mode) == EPERM, mode);
}

TEST_CASE("a socket, or a directory, of another user is refused" *
          doctest::skip(::geteuid() != 0)) {
    const Place place;
    SUBCASE("the socket") {
        REQUIRE(::chown(place.socket.c_str(), nobody, 0) == 0);
    }
    SUBCASE("the directory") {
        REQUIRE(::chown(place.directory.c_str(), nobody, 0) == 0);
    }
    CHECK(code_of(place.socket) == EPERM);
}

TEST_CASE("a refusal says why, on one line") {
    const Place place;
    const std::string path = place.directory + "/a\nb";
    std::filesystem::create_directory(path);
    const Result<SocketFile> file = check_socket(path);
    REQUIRE(!file);
    CHECK(file.error().message == "'" + place.directory + "/a\\nb' is refused: it is not a socket");
}

TEST_CASE("dialling an agent tells who listens there") {
    const Place place;
    const Result<AgentConnection> connection = dial_agent(place.socket);
    REQUIRE(connection);
    CHECK(connection->pid == ::getpid());
    CHECK((::fcntl(connection->fd.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(connection->fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("dialling where nobody listens tells why") {
    Place place;
    place.listener.reset();
    const auto code = [](const std::string& path) { return dial_agent(path).error().code; };
    CHECK(code(place.socket) == ECONNREFUSED);
    CHECK(code(place.directory + "/none") == ENOENT);
    CHECK(code("/" + std::string(200, 'x')) == ENAMETOOLONG);
    const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = place.directory + "/datagram";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(datagram.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    CHECK(code(path) == EPROTOTYPE);
}

TEST_CASE("a listener of another user gets no connection of ours" *
          doctest::skip(::geteuid() != 0)) {
    const Place place;
    ::chmod(place.temp.path().c_str(), 0755);
    ::chmod(place.directory.c_str(), 0777);
    const std::string path = place.directory + "/foreign";
    int ready[2];
    int done[2];
    REQUIRE(::pipe(ready) == 0);
    REQUIRE(::pipe(done) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(done[1]);
        char byte = 0;
        if (::setresuid(nobody, nobody, nobody) == 0) {
            const Result<UniqueFd> listener = listen_at(path);
            if (listener && ::write(ready[1], &byte, 1) == 1)
                (void)!::read(done[0], &byte, 1);
        }
        ::_exit(0);
    }
    ::close(ready[1]);
    ::close(done[0]);
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    const Result<AgentConnection> connection = dial_agent(path);
    ::close(done[1]);
    ::close(ready[0]);
    ::waitpid(child, nullptr, 0);
    REQUIRE(!connection);
    CHECK(connection.error().code == EPERM);
    CHECK(connection.error().message.find("uid 65534 listens there") != std::string::npos);
}

TEST_CASE("a symlink that has taken an agent's place is not dialled") {
    const Place place;
    const std::string link = place.directory + "/agent.2";
    std::filesystem::create_symlink(place.socket, link);
    const Result<AgentConnection> connection = dial_agent(link);
    REQUIRE_FALSE(connection);
    CHECK(connection.error().code == EPERM);
}

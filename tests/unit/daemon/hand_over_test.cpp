#include "supervisor/daemon/hand_over.hpp"

#include <cerrno>
#include <optional>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

using namespace livesock;

namespace {

std::pair<HandOverChannel, HandOverChannel> make_channel() {
    auto ends = HandOverChannel::make_pair();
    REQUIRE(ends);
    return std::move(*ends);
}

const Estate estate{.directory = "/d",
                    .log_file = "/d/log",
                    .agent_socket_is_passed = true,
                    .pinned = {"pts/3", "/tmp/ssh-x/agent.1", "10.0.0.5"},
                    .registered = {"/a", "/b"}};

} // namespace

TEST_CASE("a message comes out as it went in, whatever bytes it has") {
    const std::vector<std::string> fields{"", std::string("\0\n", 2), std::string(100'000, 'x')};
    const Result<HandOverMessage> message = decode_message(encode_message("kind", fields));
    REQUIRE(message);
    CHECK(message->kind == "kind");
    CHECK(message->fields == fields);
    CHECK(message->field(3).empty());
}

TEST_CASE("a message that is cut is none") {
    const std::string whole = encode_message("kind", std::vector<std::string>{"field"});
    CHECK(decode_message(whole));
    for (std::size_t length = 0; length < whole.size(); ++length)
        if (length != encode_message("kind", {}).size())
            CHECK_FALSE(decode_message(std::string_view(whole).substr(0, length)));
    std::string longer = whole;
    longer.push_back('\0');
    CHECK_FALSE(decode_message(longer));
}

TEST_CASE("descriptors arrive as duplicates, with the message that they belong to") {
    const auto [here, there] = make_channel();
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int fd = null.get();
    REQUIRE(here.send("without"));
    REQUIRE(here.send("with", {}, std::span(&fd, 1)));
    CHECK(there.receive()->fds.empty());
    const Result<HandOverMessage> message = there.receive();
    REQUIRE(message);
    REQUIRE(message->fds.size() == 1);
    struct stat sent {};
    struct stat received {};
    REQUIRE(::fstat(fd, &sent) == 0);
    REQUIRE(::fstat(message->fds[0].get(), &received) == 0);
    CHECK(sent.st_rdev == received.st_rdev);
    CHECK((::fcntl(message->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("neither end waits for the other") {
    std::optional<std::pair<HandOverChannel, HandOverChannel>> ends(make_channel());
    CHECK(ends->second.receive().error().code == EAGAIN);
    const std::vector<std::string> much(1, std::string(10'000, 'x'));
    Result<void> sent;
    while (sent)
        sent = ends->first.send("kind", much);
    CHECK(sent.error().code == EAGAIN);
    HandOverChannel reader = std::move(ends->second);
    ends.reset();
    Result<HandOverMessage> received = reader.receive();
    while (received)
        received = reader.receive();
    CHECK(received.error().code == ECONNRESET);
}

TEST_CASE("an estate comes out as it went in") {
    const Result<Estate> read = read_estate({.kind = "estate", .fields = fields_of(estate)});
    REQUIRE(read);
    CHECK(read->directory == estate.directory);
    CHECK(read->log_file == estate.log_file);
    CHECK(read->agent_socket_is_passed);
    CHECK(read->pinned == estate.pinned);
    CHECK(read->registered == estate.registered);
}

TEST_CASE("an estate of another version, or a part of one, is refused") {
    std::vector<std::string> fields = fields_of(estate);
    SUBCASE("version") {
        fields[0].back() = '1';
    }
    SUBCASE("part") {
        fields.resize(4);
    }
    SUBCASE("nothing") {
        fields.clear();
    }
    const Result<Estate> read = read_estate({.kind = "estate", .fields = fields});
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("livesock stop") != std::string::npos);
}

TEST_CASE("bindings come out as they went in, an odd rest is passed over") {
    const std::vector<SessionBinding> bindings{{"first", true}, {std::string("\0", 1), false}};
    HandOverMessage message{.kind = "client", .fields = fields_of(bindings)};
    message.fields.emplace_back("odd");
    const std::vector<SessionBinding> read = read_bindings(message);
    REQUIRE(read.size() == 2);
    CHECK((read[0].frame == "first" && read[0].was_accepted));
    CHECK((read[1].frame == bindings[1].frame && !read[1].was_accepted));
}

TEST_CASE("the own program is named as it is installed") {
    CHECK(own_program().ends_with("/unit-daemon"));
}

#include "tests/bench/agent_connection.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <algorithm>
#include <cstring>

#include <unistd.h>

namespace livesock::bench {
namespace {

constexpr std::size_t longest_answer = 256 * 1024;
constexpr std::uint8_t answer_identities = 12;
constexpr std::uint8_t answer_signature = 14;
constexpr std::size_t signed_bytes = 200; ///< about what a login with an ed25519 key signs

std::uint32_t read_u32(const std::uint8_t* at) {
    return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
           at[3];
}

void append_u32(Bytes& bytes, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_string(Bytes& bytes, std::span<const std::uint8_t> value) {
    append_u32(bytes, value.size());
    bytes.insert(bytes.end(), value.begin(), value.end());
}

/// Takes one string off the front of `bytes` (RFC 4251, 5).
Bytes take_string(std::span<const std::uint8_t>& bytes) {
    if (bytes.size() < 4 || bytes.size() - 4 < read_u32(bytes.data()))
        throw Failure("the agent's answer is cut short");
    const std::size_t size = read_u32(bytes.data());
    const auto value = bytes.subspan(4, size);
    bytes = bytes.subspan(4 + size);
    return {value.begin(), value.end()};
}

} // namespace

sockaddr_un socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw Failure("'" + path + "' is too long for a socket");
    path.copy(address.sun_path, path.size());
    return address;
}

Bytes sign_request(std::span<const std::uint8_t> key) {
    constexpr std::uint8_t sign = 13;
    constexpr std::size_t rsa_sha2_512 = 4; // no meaning to other kinds of keys
    Bytes body{sign};
    append_string(body, key);
    append_string(body, Bytes(signed_bytes, 0x5a));
    append_u32(body, rsa_sha2_512);
    Bytes framed;
    append_string(framed, body);
    return framed;
}

AgentConnection::AgentConnection(const sockaddr_un& address)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail_with_errno(std::string("connecting to '") + address.sun_path + "'");
}

std::span<const std::uint8_t> AgentConnection::ask(std::span<const std::uint8_t> request) {
    static std::array<std::uint8_t, longest_answer + 4> buffer;
    if (send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        fail_with_errno("sending a request");
    std::size_t have = 0, want = 5;
    while (have < want) {
        const ssize_t size = recv(fd_.get(), buffer.data() + have, buffer.size() - have, 0);
        if (size < 0)
            fail_with_errno("reading an answer");
        if (size == 0)
            throw Failure("the connection was closed before the answer");
        have += static_cast<std::size_t>(size);
        if (have >= 4)
            want = 4 + std::min<std::size_t>(read_u32(buffer.data()), longest_answer);
    }
    if (buffer[4] != answer_identities && buffer[4] != answer_signature)
        throw Failure("the answer was of type " + std::to_string(buffer[4]));
    return {buffer.data(), want};
}

std::vector<Bytes> keys_in(std::span<const std::uint8_t> answer) {
    std::vector<Bytes> keys;
    if (answer.size() < 9)
        throw Failure("the agent's answer is cut short");
    const std::uint32_t count = read_u32(answer.data() + 5);
    auto rest = answer.subspan(9);
    for (std::uint32_t i = 0; i < count; ++i) {
        keys.push_back(take_string(rest));
        static_cast<void>(take_string(rest)); // the comment
    }
    return keys;
}

std::vector<double> time_visits(const sockaddr_un& address, std::span<const std::uint8_t> request,
                                int count) {
    std::vector<double> times;
    times.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        const double begin = now_ns();
        {
            AgentConnection connection(address);
            connection.ask(request);
        }
        times.push_back(now_ns() - begin);
    }
    return times;
}

std::vector<double> time_requests(AgentConnection& connection,
                                  std::span<const std::uint8_t> request, int count) {
    std::vector<double> times;
    times.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        const double begin = now_ns();
        connection.ask(request);
        times.push_back(now_ns() - begin);
    }
    return times;
}

} // namespace livesock::bench

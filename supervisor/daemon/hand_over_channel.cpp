#include "supervisor/daemon/hand_over_channel.hpp"

#include "supervisor/agent/wire.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>

namespace livesock {
namespace {

/// As much as a socket's buffer takes by default; what is longer is not sent either.
constexpr std::size_t longest_hand_over = 256 * 1024;

constexpr std::size_t most_fds = 4;

struct Ancillary {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(most_fds * sizeof(int))> bytes{};
};

std::vector<UniqueFd> take_fds(msghdr& header) {
    std::vector<UniqueFd> fds;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (std::size_t at = CMSG_LEN(0); at < part->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, reinterpret_cast<const char*>(part) + at, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

} // namespace

std::string encode_message(std::string_view kind, std::span<const std::string> fields) {
    WireWriter writer;
    writer.string(kind);
    for (const std::string& field : fields)
        writer.string(field);
    return writer.bytes();
}

Result<HandOverMessage> decode_message(std::string_view bytes) {
    WireReader reader(bytes);
    const std::optional<std::string_view> kind = reader.string();
    HandOverMessage message{std::string(kind.value_or(std::string_view()))};
    while (const std::optional<std::string_view> field = reader.string())
        message.fields.emplace_back(*field);
    if (!kind || !reader.at_end())
        return Error{"what came from the other supervisor cannot be understood", EBADMSG};
    return message;
}

Result<std::pair<HandOverChannel, HandOverChannel>> HandOverChannel::make_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return system_error("cannot make a pair of sockets", errno);
    return std::pair(HandOverChannel(UniqueFd(ends[0])), HandOverChannel(UniqueFd(ends[1])));
}

Result<HandOverChannel> HandOverChannel::duplicate() const {
    UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
    if (!fd)
        return system_error("cannot duplicate a socket", errno);
    return HandOverChannel(std::move(fd));
}

Result<void> HandOverChannel::send(std::string_view kind, std::span<const std::string> fields,
                                   std::span<const int> fds) const {
    std::string bytes = encode_message(kind, fields);
    iovec vector{bytes.data(), bytes.size()};
    Ancillary ancillary;
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        header.msg_control = ancillary.bytes.data();
        header.msg_controllen = CMSG_SPACE(fds.size_bytes());
        // Which CMSG_FIRSTHDR() gives too, but not for what the compiler can see.
        auto* const part = reinterpret_cast<cmsghdr*>(ancillary.bytes.data());
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
    }
    if (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return system_error("cannot hand over to the new supervisor", errno);
    return {};
}

Result<HandOverMessage> HandOverChannel::receive() const {
    static char buffer[longest_hand_over];
    iovec vector{buffer, sizeof buffer};
    Ancillary ancillary;
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = ancillary.bytes.data();
    header.msg_controllen = ancillary.bytes.size();
    const ssize_t count = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0)
        return system_error("cannot hear from the other supervisor", errno);
    if (count == 0)
        return Error{"the other supervisor has ended", ECONNRESET};
    std::vector<UniqueFd> fds = take_fds(header);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return Error{"what came from the other supervisor is too long", EBADMSG};
    Result<HandOverMessage> message =
        decode_message(std::string_view(buffer, static_cast<std::size_t>(count)));
    if (message)
        message->fds = std::move(fds);
    return message;
}

} // namespace livesock

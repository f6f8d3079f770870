#include "supervisor/base/tcp_peer.hpp"

#include "supervisor/base/file.hpp"
#include "supervisor/base/next_word.hpp"
#include "supervisor/base/number.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace livesock {
namespace {

/// /proc/net/tcp is read up to here; a machine with more connections than that is not looked
/// through for one.
constexpr std::size_t largest_table = 4 * 1024 * 1024;

const sockaddr_in& as_v4(const sockaddr_storage& address) {
    return reinterpret_cast<const sockaddr_in&>(address);
}
const sockaddr_in6& as_v6(const sockaddr_storage& address) {
    return reinterpret_cast<const sockaddr_in6&>(address);
}

bool is_v6(const sockaddr_storage& address) {
    return address.ss_family == AF_INET6;
}

in_port_t port_of(const sockaddr_storage& address) {
    return is_v6(address) ? as_v6(address).sin6_port : as_v4(address).sin_port;
}

void put_address(const sockaddr_storage& address, __be32* words) {
    if (is_v6(address))
        std::memcpy(words, &as_v6(address).sin6_addr, sizeof(in6_addr));
    else
        std::memcpy(words, &as_v4(address).sin_addr, sizeof(in_addr));
}

/// The peer's socket has our ends the other way round.
inet_diag_sockid socket_of_peer(const TcpEnds& ends) {
    inet_diag_sockid id{};
    id.idiag_sport = port_of(ends.peer);
    id.idiag_dport = port_of(ends.own);
    put_address(ends.peer, id.idiag_src);
    put_address(ends.own, id.idiag_dst);
    id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return id;
}

struct DiagRequest {
    nlmsghdr header{};
    inet_diag_req_v2 body{};
};

struct Verdict {
    bool is_known = false; ///< the kernel has answered
    std::optional<uid_t> uid = std::nullopt;
};

/// The socket at which the other end was, or will be, accepted.
inet_diag_sockid socket_of_listener(const TcpEnds& ends) {
    inet_diag_sockid id = socket_of_peer(ends);
    id.idiag_dport = 0;
    std::memset(id.idiag_dst, 0, sizeof id.idiag_dst);
    return id;
}

Verdict judge(const inet_diag_msg& found, const inet_diag_sockid& wanted) {
    // The kernel offers a listener where it finds no connection. An end that its process has closed
    // has no inode, and the uid 0; one in TIME_WAIT too.
    const unsigned state = wanted.idiag_dport == 0 ? TCP_LISTEN : TCP_ESTABLISHED;
    const bool is_it = found.idiag_state == state && found.idiag_inode != 0 &&
                       found.id.idiag_sport == wanted.idiag_sport &&
                       found.id.idiag_dport == wanted.idiag_dport;
    return {.is_known = true, .uid = is_it ? std::optional<uid_t>(found.idiag_uid) : std::nullopt};
}

/// The kernel answers within sendto(): nothing is waited for.
Verdict ask_kernel(int family, const inet_diag_sockid& id) {
    const UniqueFd fd(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    if (!fd)
        return {};
    DiagRequest request;
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.body.sdiag_family = static_cast<__u8>(family);
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = ~0U;
    request.body.id = id;
    alignas(nlmsghdr) char answer[4096];
    if (::send(fd.get(), &request, sizeof request, MSG_DONTWAIT) < 0)
        return {};
    const ssize_t size = ::recv(fd.get(), answer, sizeof answer, MSG_DONTWAIT);
    nlmsghdr header{};
    if (size < static_cast<ssize_t>(sizeof header))
        return {};
    std::memcpy(&header, answer, sizeof header);
    const auto length = static_cast<std::size_t>(size);
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && length >= NLMSG_LENGTH(sizeof(inet_diag_msg))) {
        inet_diag_msg found{};
        std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
        return judge(found, request.body.id);
    }
    return {}; // an error
}

/// Where there is no such connection any more, the kernel says what it says if it has no tcp_diag:
/// then it does not know our own end either.
Verdict ask_kernel_twice(const TcpEnds& ends) {
    const Verdict verdict = ask_kernel(ends.own.ss_family, socket_of_peer(ends));
    if (verdict.is_known)
        return verdict;
    const TcpEnds own{.own = ends.peer, .peer = ends.own};
    return {.is_known = ask_kernel(ends.own.ss_family, socket_of_peer(own)).is_known};
}

/// As /proc/net/tcp writes it: 32-bit words in the machine's order, and the port.
std::string in_table(const sockaddr_storage& address) {
    __be32 words[4] = {};
    put_address(address, words);
    std::string text;
    for (int i = 0; i < (is_v6(address) ? 4 : 1); ++i)
        text += fmt::format("{:08X}", words[i]);
    return text + fmt::format(":{:04X}", ntohs(port_of(address)));
}

void skip_words(std::string_view& text, int count) {
    for (int i = 0; i < count; ++i)
        static_cast<void>(next_word(text));
}

std::string table_for(const sockaddr_storage& address) {
    return read_beginning(is_v6(address) ? "/proc/net/tcp6" : "/proc/net/tcp", largest_table)
        .value_or("");
}

struct TableLine {
    std::string_view own;
    std::string_view peer;
    std::string_view state;
};

/// The user of the first line of the table that is meant; nothing if no process holds it.
std::optional<uid_t> uid_of_line(std::string_view table,
                                 const std::function<bool(const TableLine&)>& is_meant) {
    while (!table.empty()) {
        std::string_view rest = table.substr(0, table.find('\n'));
        table.remove_prefix(std::min(table.size(), rest.size() + 1));
        skip_words(rest, 1); // its number
        TableLine line;
        line.own = next_word(rest);
        line.peer = next_word(rest);
        line.state = next_word(rest);
        if (!is_meant(line))
            continue;
        skip_words(rest, 3); // queues, timer, retransmissions
        const std::optional<std::uint64_t> uid = parse_number<std::uint64_t>(next_word(rest));
        skip_words(rest, 1); // timeout
        const std::optional<std::uint64_t> inode = parse_number<std::uint64_t>(next_word(rest));
        return uid && inode.value_or(0) != 0 ? std::optional(static_cast<uid_t>(*uid))
                                             : std::nullopt;
    }
    return std::nullopt;
}

} // namespace

Result<TcpEnds> ends_of(int fd) {
    TcpEnds ends;
    socklen_t own = sizeof ends.own;
    socklen_t peer = sizeof ends.peer;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&ends.own), &own) != 0 ||
        ::getpeername(fd, reinterpret_cast<sockaddr*>(&ends.peer), &peer) != 0)
        return system_error("cannot tell who is at the other end of a connection", errno);
    return ends;
}

std::string to_text(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = {};
    if (is_v6(address))
        ::inet_ntop(AF_INET6, &as_v6(address).sin6_addr, text, sizeof text);
    else
        ::inet_ntop(AF_INET, &as_v4(address).sin_addr, text, sizeof text);
    return fmt::format("{}{}{}:{}", is_v6(address) ? "[" : "", text, is_v6(address) ? "]" : "",
                       ntohs(port_of(address)));
}

bool is_loopback(const sockaddr_storage& address) {
    if (is_v6(address))
        return IN6_IS_ADDR_LOOPBACK(&as_v6(address).sin6_addr);
    return ntohl(as_v4(address).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool is_this_machine(const TcpEnds& ends) {
    if (ends.peer.ss_family != AF_INET && ends.peer.ss_family != AF_INET6)
        return false; // vsock has numbers where these have addresses
    __be32 own[4] = {};
    __be32 peer[4] = {};
    put_address(ends.own, own);
    put_address(ends.peer, peer);
    // An IPv4 address in one of IPv6 (RFC 4291, section 2.5.5.2).
    const bool is_mapped = is_v6(ends.peer) && IN6_IS_ADDR_V4MAPPED(&as_v6(ends.peer).sin6_addr) &&
                           ntohl(peer[3]) >> 24 == IN_LOOPBACKNET;
    return is_loopback(ends.peer) || is_mapped || std::equal(own, own + 4, peer);
}

std::optional<uid_t> uid_in_table(std::string_view table, const TcpEnds& ends) {
    const std::string own = in_table(ends.own);
    const std::string peer = in_table(ends.peer);
    return uid_of_line(table, [&](const TableLine& line) {
        return line.own == peer && line.peer == own && line.state == "01";
    });
}

std::optional<uid_t> listener_in_table(std::string_view table, const TcpEnds& ends) {
    const std::string peer = in_table(ends.peer);
    const std::string port = peer.substr(peer.rfind(':'));
    return uid_of_line(table, [&](const TableLine& line) {
        const std::string_view address = line.own.substr(0, line.own.rfind(':'));
        const bool is_any = address.find_first_not_of('0') == std::string_view::npos;
        return line.state == "0A" && (line.own == peer || (is_any && line.own.ends_with(port)));
    });
}

std::optional<uid_t> uid_of_peer(const TcpEnds& ends) {
    const Verdict asked = ask_kernel_twice(ends);
    return asked.is_known ? asked.uid : uid_in_table(table_for(ends.own), ends);
}

std::optional<uid_t> uid_of_server(const TcpEnds& ends) {
    if (const std::optional<uid_t> uid = uid_of_peer(ends))
        return uid;
    const Verdict asked = ask_kernel(ends.own.ss_family, socket_of_listener(ends));
    return asked.is_known ? asked.uid : listener_in_table(table_for(ends.own), ends);
}

Result<void> check_server(int fd, std::span<const uid_t> uids, const std::string& name) {
    const Result<TcpEnds> ends = ends_of(fd);
    if (!ends)
        return ends.error();
    if (!is_this_machine(*ends))
        return {};
    const std::optional<uid_t> uid = uid_of_server(*ends);
    if (!uid)
        return Error{fmt::format("it cannot be told whose process {} is: it has closed the "
                                 "connection, or runs in another network namespace, by whose own "
                                 "address it is to be reached then",
                                 name),
                     EPERM};
    if (is_trusted_uid(*uid) || std::find(uids.begin(), uids.end(), *uid) != uids.end())
        return {};
    return Error{fmt::format("{} is a process of uid {}, expected you or root", name, *uid), EPERM};
}

} // namespace livesock

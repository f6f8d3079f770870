#include "supervisor/base/endpoint.hpp"

#include "supervisor/base/number.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

// After <sys/socket.h>: older versions of it do not include that themselves.
#include <linux/vm_sockets.h>

namespace livesock {
namespace {

constexpr int tcp_backlog = 1024;

/// Without an acknowledgement for so long, a TCP connection is over.
constexpr int most_unacked_ms = 20'000;
/// An idle one is looked after by the kernel: after so many seconds, so often, so many times.
constexpr int idle_seconds = 30;
constexpr int between_looks_seconds = 10;
constexpr int most_looks = 3;

constexpr std::string_view tcp_wanted =
    "a numeric address and a port such as \"127.0.0.1:7222\" or \"[::1]:7222\" (names are not "
    "looked up)";
constexpr std::string_view vsock_wanted =
    "\"CID:PORT\", two numbers such as \"2:7222\", or host:PORT, local:PORT";

/// What stands before the last colon and after it; nothing if either is empty.
std::optional<std::pair<std::string, std::string_view>> split(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size())
        return std::nullopt;
    return std::pair(std::string(text.substr(0, colon)), text.substr(colon + 1));
}

template <class Address>
Endpoint endpoint(const Address& address, std::string text) {
    Endpoint made;
    static_assert(sizeof address <= sizeof made.address);
    std::memcpy(&made.address, &address, sizeof address);
    made.length = sizeof address;
    made.text = std::move(text);
    return made;
}

template <class Address>
Address as(const Endpoint& endpoint) {
    Address address{};
    std::memcpy(&address, &endpoint.address, sizeof address);
    return address;
}

constexpr unsigned local_cid = 1; // VMADDR_CID_LOCAL, since Linux 5.6

std::optional<unsigned> cid_of(std::string_view text) {
    if (text == "host")
        return VMADDR_CID_HOST;
    if (text == "local")
        return local_cid;
    if (text == "any")
        return VMADDR_CID_ANY;
    return parse_number<unsigned>(text);
}

unsigned port_of(const Endpoint& endpoint) {
    switch (endpoint.address.ss_family) {
    case AF_INET:
        return ntohs(as<sockaddr_in>(endpoint).sin_port);
    case AF_INET6:
        return ntohs(as<sockaddr_in6>(endpoint).sin6_port);
    default:
        return as<sockaddr_vm>(endpoint).svm_port;
    }
}

/// Whether `endpoint` stands for all addresses of this machine.
bool is_any(const Endpoint& endpoint) {
    switch (endpoint.address.ss_family) {
    case AF_INET:
        return as<sockaddr_in>(endpoint).sin_addr.s_addr == htonl(INADDR_ANY);
    case AF_INET6: {
        const in6_addr address = as<sockaddr_in6>(endpoint).sin6_addr;
        return IN6_IS_ADDR_UNSPECIFIED(&address) != 0;
    }
    default:
        return as<sockaddr_vm>(endpoint).svm_cid == VMADDR_CID_ANY;
    }
}

/// Whether `endpoint` is one that every machine has for itself.
bool is_local(const Endpoint& endpoint) {
    return endpoint.address.ss_family == AF_VSOCK ? as<sockaddr_vm>(endpoint).svm_cid == local_cid
                                                  : is_loopback(endpoint);
}

void set(int fd, int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
}

Result<UniqueFd> make_socket(const Endpoint& endpoint) {
    UniqueFd fd(
        ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error(fmt::format("cannot make a socket for {}", endpoint.text), errno);
    return fd;
}

const sockaddr* generic(const Endpoint& endpoint) {
    return reinterpret_cast<const sockaddr*>(&endpoint.address);
}

} // namespace

Result<Endpoint> tcp_endpoint(std::string_view text) {
    const Error wrong{std::string(tcp_wanted), EINVAL};
    const auto parts = split(text);
    const auto port = parts ? parse_number<std::uint16_t>(parts->second) : std::nullopt;
    if (!port || *port == 0)
        return wrong;
    std::string host = parts->first;
    if (host == "localhost")
        host = "127.0.0.1";
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(*port);
    if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1)
        return endpoint(four, fmt::format("{}:{}", host, *port));
    if (host.size() < 3 || !host.starts_with('[') || !host.ends_with(']'))
        return wrong;
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(*port);
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six.sin6_addr) != 1)
        return wrong;
    char shortest[INET6_ADDRSTRLEN];
    ::inet_ntop(AF_INET6, &six.sin6_addr, shortest, sizeof shortest);
    return endpoint(six, fmt::format("[{}]:{}", shortest, *port));
}

Result<Endpoint> vsock_endpoint(std::string_view text) {
    const auto parts = split(text);
    const auto cid = parts ? cid_of(parts->first) : std::nullopt;
    const auto port = parts ? parse_number<unsigned>(parts->second) : std::nullopt;
    // The highest one means "any".
    if (!cid || !port || *port == 0 || *port == VMADDR_PORT_ANY)
        return Error{std::string(vsock_wanted), EINVAL};
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = *cid;
    address.svm_port = *port;
    return endpoint(address, fmt::format("vsock:{}:{}", parts->first, *port));
}

bool is_loopback(const Endpoint& endpoint) {
    if (endpoint.address.ss_family == AF_INET)
        return (ntohl(as<sockaddr_in>(endpoint).sin_addr.s_addr) >> 24) == 127;
    if (endpoint.address.ss_family == AF_INET6) {
        const in6_addr address = as<sockaddr_in6>(endpoint).sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(&address) != 0;
    }
    return false;
}

bool leads_to(const Endpoint& there, const Endpoint& here) {
    // Listeners of IPv6 take no IPv4, see listen_on().
    if (there.address.ss_family != here.address.ss_family || port_of(there) != port_of(here))
        return false;
    // What connects to "any" gets to loopback.
    return std::memcmp(&there.address, &here.address, sizeof there.address) == 0 ||
           (is_any(here) && is_local(there)) || (is_any(there) && is_local(here));
}

Result<UniqueFd> begin_connect(const Endpoint& endpoint) {
    Result<UniqueFd> fd = make_socket(endpoint);
    if (!fd)
        return fd;
    tune_connection(fd->get());
    if (::connect(fd->get(), generic(endpoint), endpoint.length) != 0 && errno != EINPROGRESS)
        return system_error(fmt::format("cannot connect to {}", endpoint.text), errno);
    return fd;
}

int connect_error(int fd) {
    int code = 0;
    socklen_t length = sizeof code;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) != 0)
        return errno;
    return code;
}

Result<UniqueFd> listen_on(const Endpoint& endpoint) {
    Result<UniqueFd> fd = make_socket(endpoint);
    if (!fd)
        return fd;
    // What a former listener's connections have left behind (TIME-WAIT) does not keep us away.
    set(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (endpoint.address.ss_family == AF_INET6)
        set(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(fd->get(), generic(endpoint), endpoint.length) != 0 ||
        ::listen(fd->get(), tcp_backlog) != 0)
        return system_error(fmt::format("cannot listen at {}", endpoint.text), errno);
    return fd;
}

void tune_connection(int fd) {
    int domain = 0;
    socklen_t length = sizeof domain;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 ||
        (domain != AF_INET && domain != AF_INET6))
        return;
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, most_unacked_ms);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, between_looks_seconds);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, most_looks);
}

std::optional<unsigned> peer_cid(int fd) {
    sockaddr_vm address{};
    socklen_t length = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        address.svm_family != AF_VSOCK)
        return std::nullopt;
    return address.svm_cid;
}

} // namespace livesock

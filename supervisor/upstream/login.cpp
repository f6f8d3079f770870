#include "supervisor/upstream/login.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/number.hpp"
#include "supervisor/base/process_files.hpp"

#include <string_view>

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace livesock {
namespace {

/// An environment may be larger; sshd puts its variables at the front.
constexpr std::size_t most_bytes = 64 * 1024;
constexpr std::size_t most_children = 64;

/// Empty if it cannot be read.
std::string read_file(const std::string& path) {
    return read_beginning(path, most_bytes).value_or(std::string());
}

/// What stands before the first `separator` in `text`, which is shortened by it.
std::string_view cut(std::string_view& text, char separator) {
    const std::size_t end = text.find(separator);
    const std::string_view head = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return head;
}

} // namespace

std::optional<Login> parse_login(std::string_view environ_bytes) {
    Login login;
    std::string_view connection =
        variable_in(environ_bytes, "SSH_CONNECTION").value_or(std::string_view());
    login.client_address = escaped(cut(connection, ' '), 64);
    login.client_port = parse_number<int>(cut(connection, ' ')).value_or(0);
    constexpr std::string_view devices = "/dev/";
    if (const auto terminal = variable_in(environ_bytes, "SSH_TTY");
        terminal && terminal->starts_with(devices))
        login.tty = escaped(terminal->substr(devices.size()), 64);
    if (login.client_address.empty())
        return std::nullopt;
    return login;
}

std::optional<Login> login_of(pid_t sshd) {
    for (const pid_t child : children_of(sshd))
        if (std::optional<Login> login =
                parse_login(read_file(fmt::format("/proc/{}/environ", child))))
            return login;
    return std::nullopt;
}

std::vector<pid_t> children_of(pid_t parent) {
    const std::string text = read_file(fmt::format("/proc/{0}/task/{0}/children", parent));
    std::string_view rest = text;
    std::vector<pid_t> children;
    while (!rest.empty() && children.size() < most_children)
        if (const std::optional<int> pid = parse_number<int>(cut(rest, ' ')))
            children.push_back(*pid);
    return children;
}

UniqueFd open_process(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

std::string program_of(pid_t pid) {
    const std::string text = read_file(fmt::format("/proc/{}/comm", pid));
    std::string_view name = text;
    return escaped(cut(name, '\n'), 32);
}

} // namespace livesock

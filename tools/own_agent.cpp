#include "tools/own_agent.hpp"

#include "preload/report.h"
#include "supervisor/base/file.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/own_socket.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

/// Ourselves, as proc(5) has it in comm.
constexpr std::string_view own_program = "livesockd";

/// What listens for a login, and ourselves.
constexpr std::array<std::string_view, 4> login_programs = {"sshd", "sshd-session", "dropbear",
                                                            own_program};

/// VS Code's server listens in a process that has no name of its own.
constexpr std::string_view editor_socket = "vscode-ssh-auth-";

/// TASK_COMM_LEN of the kernel, with the newline that follows.
constexpr std::size_t longest_comm = 16;

std::string program_of(pid_t pid) {
    std::string name =
        read_beginning(fmt::format("/proc/{}/comm", pid), longest_comm).value_or(std::string());
    while (name.ends_with('\n'))
        name.pop_back();
    return name;
}

/// The program that listens at `path`, where it may be asked; nothing if there is none.
std::optional<std::string> listener_at(const std::string& path) {
    const UniqueFd connection = connect_past_shim(path);
    if (!connection)
        return std::nullopt;
    const Result<Peer> peer = peer_of(connection.get());
    return peer && is_trusted_uid(peer->uid) ? std::optional(program_of(peer->pid)) : std::nullopt;
}

/// Whoever listens there: of a socket unit it is the service manager.
bool is_stable_socket(const std::string& path) {
    const Result<std::vector<std::string>> directories = directory_choices(directory_inputs());
    return directories && std::any_of(directories->begin(), directories->end(),
                                      [&path](const std::string& directory) {
                                          return leads_back(path, directory);
                                      });
}

/// Whether `listener` is there, and its socket `path` is none of a login.
bool is_lasting(const std::string& path, const std::optional<std::string>& listener) {
    std::error_code ignored;
    const std::string real = std::filesystem::canonical(path, ignored).string();
    return listener && !is_of_a_login(real.empty() ? path : real, *listener);
}

} // namespace

bool is_of_a_login(std::string_view path, std::string_view listener) {
    for (const std::string_view program : login_programs)
        if (listener == program)
            return true;
    return path.substr(path.rfind('/') + 1).starts_with(editor_socket);
}

bool is_own_agent(const std::string& path) {
    return !is_stable_socket(path) && is_lasting(path, listener_at(path));
}

SocketFacts collect_socket(const std::string& path, const std::string& directory) {
    if (path.empty())
        return {};
    std::error_code problem;
    const std::filesystem::path target = std::filesystem::canonical(path, problem);
    SocketFacts socket{.path = path, .target = problem ? path : target.string()};
    socket.is_ours = !directory.empty() && leads_back(path, directory);
    socket.state = socket.is_ours ? SocketState::answers : ask_at(path);
    if (!socket.is_ours) {
        // Another supervisor is one that the user has started, and lasts.
        const std::optional<std::string> listener = listener_at(path);
        socket.is_own =
            listener == own_program || (!is_stable_socket(path) && is_lasting(path, listener));
    }
    socket.is_led = is_led_by_shim(path);
    return socket;
}

ShellUse use_of(const SocketFacts& socket, const std::string& live, bool is_armed) {
    const bool leads_on = is_armed && has_forwarded_shape(socket.path);
    if (socket.is_ours || (is_armed && socket.is_led) || (leads_on && socket.path == live))
        return ShellUse::livesock;
    if (socket.is_own)
        return ShellUse::own;
    return leads_on && socket.state == SocketState::answers ? ShellUse::login : ShellUse::nothing;
}

bool is_shim_loaded() {
    constexpr std::size_t most_maps = 1024 * 1024;
    return read_beginning(fmt::format("/proc/{}/maps", ::getpid()), most_maps)
               .value_or("")
               .find("liblivesock.so") != std::string::npos;
}

bool is_shim_armed() {
    return is_shim_loaded() && !environment(directory_variable).empty();
}

} // namespace livesock

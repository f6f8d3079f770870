#include "tools/setup_units.hpp"

#include "preload/report.h"

#include <fmt/format.h>

namespace livesock {
namespace {

std::string units(const Surroundings& around) {
    return around.config_home + "/systemd/user";
}

std::string environment_file(const Surroundings& around) {
    return around.config_home + "/environment.d/50-livesock.conf";
}

std::string service_file(const Surroundings& around) {
    return units(around) + "/livesockd.service";
}

std::string socket_file(const Surroundings& around) {
    return units(around) + "/livesockd.socket";
}

/// What has the service started with the service manager, and the socket before it: what
/// `systemctl --user enable` does with symbolic links, in files.
std::string wants_file(const Surroundings& around, std::string_view target) {
    return fmt::format("{}/{}.d/50-livesock.conf", units(around), target);
}

PlannedFile file(std::string path, std::vector<std::string> lines) {
    lines.insert(lines.begin(), std::string(setup_note));
    return {std::move(path), {Placement::end, std::move(lines)}};
}

/// The service manager has its own words in units ('%') and its own quotes.
bool is_plain(std::string_view path) {
    return path.find_first_of("%$\"'\\ \t\n") == std::string_view::npos;
}

} // namespace

Result<std::vector<PlannedFile>> unit_files(const Surroundings& around) {
    for (const std::string& path : {around.supervisor, around.directory})
        if (!is_plain(path))
            return Error{fmt::format("systemd would not take the path '{}' as it is", path)};
    const std::string agent_socket = around.directory + '/' + agent_socket_name;
    std::vector<PlannedFile> files{
        file(environment_file(around),
             {fmt::format("SSH_AUTH_SOCK=${{SSH_AUTH_SOCK:-{}}}", agent_socket)}),
        file(wants_file(around, "default.target"), {"[Unit]", "Wants=livesockd.service"}),
        file(wants_file(around, "sockets.target"), {"[Unit]", "Wants=livesockd.socket"})};
    if (around.has_units)
        return files;
    files.push_back(file(service_file(around),
                         {"[Unit]", "Description=SSH agent supervisor",
                          "Documentation=man:livesockd(8)", "", "[Service]", "Type=notify",
                          "ExecStart=" + around.supervisor, "ExecReload=/bin/kill -HUP $MAINPID",
                          "Restart=on-failure", "RestartPreventExitStatus=1 2"}));
    files.push_back(
        file(socket_file(around),
             {"[Unit]", "Description=SSH agent supervisor's socket",
              "Documentation=man:livesockd(8)", "", "[Socket]", "ListenStream=" + agent_socket,
              "FileDescriptorName=agent", "SocketMode=0600", "DirectoryMode=0700"}));
    return files;
}

std::vector<std::string> possible_unit_files(const Surroundings& around) {
    return {environment_file(around), wants_file(around, "default.target"),
            wants_file(around, "sockets.target"), service_file(around), socket_file(around)};
}

} // namespace livesock

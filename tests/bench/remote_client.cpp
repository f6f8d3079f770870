#include "tests/bench/remote_client.hpp"

#include "tests/bench/failure.hpp"

#include "preload/report.h"

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

Pipe make_pipe() {
    std::array<int, 2> fds{};
    if (pipe2(fds.data(), O_CLOEXEC) != 0)
        fail_with_errno("making a pipe");
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Process start(const Site& site, const std::string& agent_path, std::vector<std::string> more,
              UniqueFd& to, UniqueFd& from) {
    Pipe commands = make_pipe(), answers = make_pipe();
    more.push_back("SSH_AUTH_SOCK=" + agent_path);
    Process process({.argv = {site.programs().client},
                     .environment = site.environment(more),
                     .input = commands.read_end.get(),
                     .output = answers.write_end.get(),
                     .errors = STDERR_FILENO});
    to = std::move(commands.write_end);
    from = std::move(answers.read_end);
    return process;
}

} // namespace

RemoteClient::RemoteClient(const Site& site, const std::string& agent_path,
                           const std::vector<std::string>& more)
    : process_(start(site, agent_path, more, to_, from_)) {}

double RemoteClient::measure(const std::string& what, int count) {
    const Deadline deadline(std::chrono::seconds(30));
    const std::string line = what + " " + std::to_string(count) + "\n";
    if (write(to_.get(), line.data(), line.size()) < 0)
        fail_with_errno("commanding a client");
    std::array<char, 64> answer{};
    const ssize_t size = read(from_.get(), answer.data(), answer.size() - 1);
    if (size < 0)
        fail_with_errno("waiting for a client");
    if (size == 0)
        throw Failure("the client process could not do '" + what + "'");
    return std::strtod(answer.data(), nullptr);
}

std::vector<std::string> shim_environment(const Site& site, const std::string& directory) {
    if (access(site.programs().shim.c_str(), R_OK) != 0)
        throw Failure("there is no '" + site.programs().shim +
                      "': build it, or name another "
                      "with --shim");
    return {"LD_PRELOAD=" + site.programs().shim,
            std::string(directory_variable) + "=" + directory};
}

} // namespace livesock::bench

#include "tests/bench/subject.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include "preload/report.h"

#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

constexpr double patience_ns = 10e9;

std::string tail_of(const std::string& file) {
    std::ifstream stream(file);
    std::string line, last;
    while (std::getline(stream, line))
        last = line;
    return last.empty() ? "" : " (its log ends: " + last + ")";
}

UniqueFd open_log(const std::string& directory) {
    const std::string path = directory + "/stderr";
    return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

} // namespace

Command livesockd_command(const Site& site, const std::string& directory, Discovery discovery,
                          const std::string& more) {
    const std::string config = directory + "/livesock.toml";
    std::ofstream(config) << "[discovery]\nforwarded = "
                          << (discovery == Discovery::on ? "true" : "false") << "\n"
                          << more;
    return {.argv = {site.programs().livesockd, "--config", config},
            .environment = site.environment({std::string(directory_variable) + "=" + directory})};
}

Subject::Subject(const Site& site)
    : directory_(site.root(), "dir-") {}

Subject Subject::livesockd(const Site& site, Discovery discovery, const std::string& more) {
    Subject subject(site);
    const UniqueFd log = open_log(subject.directory());
    Command command = livesockd_command(site, subject.directory(), discovery, more);
    command.errors = log.get();
    subject.process_.emplace(command);
    try {
        wait_until_accepting(subject.agent_socket(), *subject.process_);
        wait_until_accepting(subject.directory() + "/" + control_socket_name, *subject.process_);
    } catch (const Failure& failure) {
        throw Failure(failure.what() + tail_of(subject.directory() + "/stderr"));
    }
    return subject;
}

Subject Subject::livesockd_with_agent(const Site& site, Discovery discovery,
                                      const std::string& more) {
    Subject subject = livesockd(site, discovery, more);
    subject.register_agent(site.agent_path());
    return subject;
}

Subject Subject::relay(const Site& site) {
    Subject subject(site);
    subject.process_.emplace(
        Command{.argv = {site.programs().relay, subject.agent_socket(), site.agent_path()},
                .environment = site.environment()});
    wait_until_accepting(subject.agent_socket(), *subject.process_);
    std::filesystem::create_symlink(site.agent_path(), subject.directory() + "/" + live_link_name);
    return subject;
}

std::string Subject::live() const {
    std::array<char, PATH_MAX> target;
    const std::string link = directory() + "/" + live_link_name;
    const ssize_t size = readlink(link.c_str(), target.data(), target.size());
    return size < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(size));
}

std::string Subject::control(const std::string& request) const {
    const Deadline deadline(std::chrono::seconds(10));
    const AgentConnection connection(socket_address(directory() + "/" + control_socket_name));
    const std::string line = request + "\n";
    if (send(connection.fd(), line.data(), line.size(), MSG_NOSIGNAL) < 0)
        fail_with_errno("sending a control request");
    std::string answer;
    while (answer.find('\n') == std::string::npos) {
        std::array<char, 4096> bytes;
        const ssize_t size = recv(connection.fd(), bytes.data(), bytes.size(), 0);
        if (size <= 0)
            fail_with_errno("reading the answer to a control request");
        answer.append(bytes.data(), static_cast<std::size_t>(size));
    }
    if (answer.find("\"ok\":true") == std::string::npos)
        throw Failure("'" + request + "' was answered with " + answer);
    return answer;
}

void Subject::register_agent(const std::string& path) const {
    control(R"({"command":"register","path":")" + path + "\"}");
    const double give_up = now_ns() + patience_ns;
    while (live() != path) {
        check_interrupted();
        if (now_ns() > give_up)
            throw Failure("livesockd does not make '" + path + "' live" +
                          tail_of(directory() + "/stderr"));
        usleep(500);
    }
}

} // namespace livesock::bench

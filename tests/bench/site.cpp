#include "tests/bench/site.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <unistd.h>

namespace livesock::bench {
namespace {

namespace fs = std::filesystem;

std::string path_variable() {
    const char* path = std::getenv("PATH");
    return std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin");
}

std::string find_program(const std::string& name) {
    const std::string path = path_variable().substr(5) + ":/usr/sbin:/sbin";
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::string candidate = path.substr(begin, end - begin) + "/" + name;
        if (access(candidate.c_str(), X_OK) == 0)
            return candidate;
        begin = end + 1;
    }
    throw Failure("there is no '" + name + "': install openssh-client");
}

} // namespace

Programs Programs::in_build_tree() {
    const fs::path build = fs::read_symlink("/proc/self/exe").parent_path() / "../..";
    return {.livesockd = (build / "livesockd").lexically_normal(),
            .shim = (build / "preload/liblivesock.so").lexically_normal(),
            .relay = (build / "tests/bench/livesock-bench-relay").lexically_normal(),
            .client = (build / "tests/bench/livesock-bench-client").lexically_normal()};
}

ScratchDirectory::ScratchDirectory(const std::string& parent, const std::string& prefix)
    : path_(parent + "/" + prefix + "XXXXXXXXXX") {
    if (mkdtemp(path_.data()) == nullptr)
        fail_with_errno("making '" + path_ + "'");
}

ScratchDirectory::ScratchDirectory(ScratchDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty())
        fs::remove_all(path_, ignored);
}

Site::Site(Programs programs, bool private_tmp)
    : programs_(std::move(programs))
    , private_tmp_(private_tmp)
    , root_("/tmp", "livesock-bench-")
    , session_("/tmp", "ssh-")
    , agent_path_(session_.path() + "/agent.1001")
    , agent_address_(socket_address(agent_path_)) {
    fs::create_directory(root() + "/home");
    start_agent();
    add_key("ed25519");
    add_key("rsa");
    const std::vector<Bytes> keys = keys_in(AgentConnection(agent()).ask(list_request));
    if (keys.size() != 2)
        throw Failure("ssh-agent should hold 2 keys, it holds " + std::to_string(keys.size()));
    sign_with_ed25519_ = sign_request(keys[0]);
    sign_with_rsa_ = sign_request(keys[1]);
}

void Site::start_agent() {
    agent_.emplace(Command{.argv = {find_program("ssh-agent"), "-D", "-a", agent_path_},
                           .environment = environment()});
    wait_until_accepting(agent_path_, *agent_);
}

void Site::add_key(const std::string& type) {
    const std::string file = root() + "/id_" + type;
    run({.argv = {find_program("ssh-keygen"), "-q", "-t", type, "-N", "", "-C", "bench", "-f",
                  file},
         .environment = environment()});
    run({.argv = {find_program("ssh-add"), "-q", file},
         .environment = environment({"SSH_AUTH_SOCK=" + agent_path_})});
}

std::vector<std::string> Site::environment(const std::vector<std::string>& more) const {
    const std::string home = root() + "/home";
    std::vector<std::string> result{path_variable(),
                                    "LC_ALL=C",
                                    "HOME=" + home,
                                    "XDG_CONFIG_HOME=" + home + "/.config",
                                    "XDG_STATE_HOME=" + home + "/.local/state",
                                    "XDG_RUNTIME_DIR=" + home + "/run"};
    result.insert(result.end(), more.begin(), more.end());
    return result;
}

OneProcessor::OneProcessor(const Site& site)
    : agent_(site.agent_pid()) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setaffinity(agent_, sizeof one, &one);
}

OneProcessor::~OneProcessor() {
    sched_setaffinity(0, sizeof before_, &before_);
    sched_setaffinity(agent_, sizeof before_, &before_);
}

void wait_until_accepting(const std::string& path, Process& process) {
    const sockaddr_un address = socket_address(path);
    const double give_up = now_ns() + 10e9;
    while (true) {
        check_interrupted();
        const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            return;
        if (!process.running())
            throw Failure("the program that should listen at '" + path + "' has ended");
        if (now_ns() > give_up)
            throw Failure("nobody listens at '" + path + "' after 10 s");
        usleep(100);
    }
}

} // namespace livesock::bench

#include "supervisor/base/spawn.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace livesock {
namespace {

/// The soft limit that programs expect; ours is as high as it goes, and select(2) ends at this.
constexpr rlim_t usual_open_files = 1024;

constexpr std::string_view withheld[] = {
    "SSH_AUTH_SOCK", "SSH_AGENT_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
};

bool is_executable_file(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

Error cannot_execute(const std::string& file, int code) {
    // execve(2) says the same of a script's interpreter.
    if (code == ENOENT && ::access(file.c_str(), F_OK) == 0)
        return Error{fmt::format("cannot execute '{}': the interpreter that it names is missing",
                                 escaped(file)),
                     code};
    return system_error(fmt::format("cannot execute '{}'", escaped(file)), code);
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words)
        pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

struct Launch {
    const char* file;
    char* const* words;
    char* const* environment;
    std::array<int, 3> standard;
    int death_signal;
    pid_t parent;
    volatile int failure = 0; // errno of what the child could not do
};

/// In the child of vfork(2), which lives in our memory while we stand still: nothing here may
/// change what is ours.
void become(Launch& launch) {
    ::setsid();
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_PDEATHSIG, launch.death_signal, 0, 0, 0);
    // Our process may have ended before the kernel was asked to tell.
    if (::getppid() != launch.parent)
        return;
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number)
        ::sigaction(number, &usual, nullptr);
    for (int fd = 0; fd < 3; ++fd)
        if (::dup2(launch.standard[static_cast<std::size_t>(fd)], fd) < 0) {
            launch.failure = errno;
            return;
        }
    // All of ours are close-on-exec; what the one who started us has left open may not be.
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = std::min(files.rlim_cur, usual_open_files);
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(launch.file, launch.words, launch.environment);
    launch.failure = errno;
}

/// The child's process ID, or -1 with errno. Signals are blocked throughout: one that reached the
/// child would run our handler in our memory.
pid_t start(Launch& launch) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    // Not fork(2): it copies our page tables, which with many clients takes longer than an answer.
    const pid_t child = ::vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (child == 0) {
        become(launch);
        ::_exit(127);
    }
    const int code = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    return child;
}

} // namespace

Result<std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return name;
    const std::string path = environment("PATH");
    std::string_view rest = path.empty() ? "/usr/local/bin:/usr/bin:/bin" : std::string_view(path);
    while (!rest.empty()) {
        const std::string_view directory = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
        // Others say "" for the working directory; that is nobody's idea of where a program lies.
        const std::string file = fmt::format("{}/{}", directory, name);
        if (directory.starts_with('/') && is_executable_file(file))
            return file;
    }
    return Error{fmt::format("cannot execute '{}': it is in no directory of PATH ('{}')",
                             escaped(name), escaped(path)),
                 ENOENT};
}

Result<pid_t> spawn(const Program& program) {
    const Result<std::string> file = find_program(program.words.front());
    if (!file)
        return file.error();
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null)
        return system_error("cannot open '/dev/null'", errno);
    const auto or_null = [&](int fd) { return fd < 0 ? null.get() : fd; };
    const std::vector<char*> words = pointers_to(program.words);
    const std::vector<char*> variables = pointers_to(program.environment);
    Launch launch{
        .file = file->c_str(),
        .words = words.data(),
        .environment = variables.data(),
        .standard = {or_null(program.input), or_null(program.output), or_null(program.error)},
        .death_signal = program.death_signal,
        .parent = ::getpid()};
    const pid_t child = start(launch);
    if (child < 0)
        return system_error(fmt::format("cannot start a process for '{}'", escaped(*file)), errno);
    if (launch.failure == 0)
        return child;
    ::waitpid(child, nullptr, 0);
    return cannot_execute(*file, launch.failure);
}

std::vector<std::string> environment_of_children() {
    std::vector<std::string> kept;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const std::string_view name = text.substr(0, text.find('='));
        if (std::find(std::begin(withheld), std::end(withheld), name) == std::end(withheld))
            kept.emplace_back(text);
    }
    return kept;
}

} // namespace livesock

#include "supervisor/upstream/socket_users.hpp"

#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/upstream/login.hpp"
#include "supervisor/upstream/socket_file.hpp"

#include <algorithm>
#include <charconv>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// So many processes are looked at before others get their turn.
constexpr int processes_per_turn = 32;

constexpr auto shortest_pause = 1s;

/// More of an environment is not read, and more paths than this are not kept.
constexpr std::size_t most_environment = 256 * 1024;
constexpr std::size_t most_paths = 1024;

/// Whether what the process calls the directory of `path` is what we call so. A login's directory
/// may have vanished: then the one above it says the same.
bool sees_the_same(const std::string& process, const std::string& path) {
    const std::string own = link_at("/proc/self/ns/mnt");
    if (!own.empty() && own == link_at(process + "/ns/mnt"))
        return true;
    std::string directory = path;
    struct stat status {};
    do
        directory.erase(directory.rfind('/'));
    while (!directory.empty() && ::stat(directory.c_str(), &status) != 0);
    return is_same_file(directory + "/.", process + "/root" + directory + "/.");
}

bool is_own_process(const std::string& process) {
    struct stat status {};
    return ::stat(process.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

} // namespace

struct SocketUsers::Directory {
    struct Closer {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };
    std::unique_ptr<DIR, Closer> entries;
};

SocketUsers::SocketUsers(EventLoop& loop, std::function<bool(std::string_view)> is_wanted,
                         std::function<void(UsersByPath)> on_scanned, std::string proc)
    : is_wanted_(std::move(is_wanted))
    , on_scanned_(std::move(on_scanned))
    , proc_(std::move(proc))
    , begin_(loop.timer([this] { begin(); }))
    , work_(loop.timer([this] { work(); })) {}

SocketUsers::~SocketUsers() = default;

void SocketUsers::request() {
    if (std::exchange(is_wanted_again_, true) || scanning_)
        return;
    const Duration since = Clock::now() - begun_;
    begin_.start(begun_ == TimePoint{} ? 0s : std::max<Duration>(0s, shortest_pause - since));
}

void SocketUsers::request_now() {
    is_wanted_again_ = true;
    is_wanted_at_once_ = true;
    if (!scanning_)
        begin_.start(0s);
}

void SocketUsers::begin() {
    is_wanted_again_ = false;
    is_wanted_at_once_ = false;
    begun_ = Clock::now();
    found_.clear();
    scanning_ = std::make_unique<Directory>();
    scanning_->entries.reset(::opendir(proc_.c_str()));
    work_.start(0s);
}

void SocketUsers::work() {
    for (int i = 0; i < processes_per_turn;) {
        const dirent* const entry =
            scanning_->entries ? ::readdir(scanning_->entries.get()) : nullptr;
        if (entry == nullptr) {
            finish();
            return;
        }
        const std::string_view name = entry->d_name;
        if (name.empty() || name.find_first_not_of("0123456789") != std::string_view::npos)
            continue;
        look_at(std::string(name));
        ++i;
    }
    work_.start(0s);
}

void SocketUsers::look_at(const std::string& pid) {
    pid_t number = 0;
    std::from_chars(pid.data(), pid.data() + pid.size(), number);
    const std::string process = proc_ + '/' + pid;
    if (number == ::getpid() || !is_own_process(process))
        return;
    const std::string variables =
        read_beginning(process + "/environ", most_environment).value_or("");
    const std::string_view path =
        variable_in(variables, "SSH_AUTH_SOCK").value_or(std::string_view());
    if (path.empty() || !is_wanted_(path) || !sees_the_same(process, std::string(path)))
        return;
    if (found_.size() >= most_paths && found_.find(path) == found_.end())
        return;
    PathUsers& users = found_[std::string(path)];
    if (++users.count <= PathUsers::most_named)
        users.named.push_back({number, program_of(number)});
}

void SocketUsers::finish() {
    scanning_.reset();
    const bool at_once = is_wanted_at_once_;
    if (std::exchange(is_wanted_again_, false))
        at_once ? request_now() : request();
    on_scanned_(std::exchange(found_, {}));
}

} // namespace livesock

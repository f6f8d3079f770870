#include "supervisor/upstream/directory_keeper.hpp"

#include <algorithm>

#include <sys/inotify.h>
#include <sys/stat.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// `rm -r` must find the directory empty in the end: nothing is made again while it is at work.
constexpr auto settling_time = 200ms;

constexpr Duration first_retry = 1s;
constexpr Duration longest_retry = 60s;

constexpr std::uint32_t disappearance = IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t own_disappearance = IN_DELETE_SELF | IN_MOVE_SELF;

/// Every name of ours is made under one like this first.
constexpr std::string_view temporary = ".new";

} // namespace

std::optional<FileId> file_at(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return std::nullopt;
    return FileId{
        .device = status.st_dev, .inode = status.st_ino, .is_socket = S_ISSOCK(status.st_mode)};
}

DirectoryKeeper::DirectoryKeeper(EventLoop& loop, Inotify inotify, std::string directory,
                                 std::function<bool()> restore)
    : inotify_(std::move(inotify))
    , directory_(std::move(directory))
    , restore_(std::move(restore))
    , readable_(loop.on_readable(inotify_.fd(), [this] { on_readable(); }))
    , timer_(loop.timer([this] { on_timer(); })) {}

Result<std::unique_ptr<DirectoryKeeper>>
DirectoryKeeper::create(EventLoop& loop, std::string directory, std::function<bool()> restore) {
    Result<Inotify> inotify = Inotify::create();
    if (!inotify)
        return inotify.error();
    std::unique_ptr<DirectoryKeeper> keeper(
        new DirectoryKeeper(loop, std::move(*inotify), std::move(directory), std::move(restore)));
    keeper->watch();
    keeper->readable_.resume();
    return keeper;
}

void DirectoryKeeper::look() {
    // The first of many sets the time.
    if (std::exchange(is_due_, true))
        return;
    retry_ = first_retry;
    timer_.start(settling_time);
}

void DirectoryKeeper::on_readable() {
    bool has_disappeared = false;
    inotify_.read([&](const Inotify::Event& event) {
        if (event.is_ended)
            watches_.erase(event.watch);
        has_disappeared |= event.is_ended || event.is_overflow || !event.name.ends_with(temporary);
    });
    if (has_disappeared)
        look();
}

void DirectoryKeeper::on_timer() {
    is_due_ = false;
    bool is_complete = restore_();
    // What is new may have been deleted again before it was watched.
    if (watch())
        is_complete = restore_();
    if (is_complete)
        return;
    timer_.start(retry_);
    retry_ = std::min(retry_ * 2, longest_retry);
}

/// Whether there is anything that was not watched before.
bool DirectoryKeeper::watch() {
    bool is_new = watch_one(directory_, disappearance | own_disappearance);
    for (std::size_t slash = directory_.rfind('/'); slash != std::string::npos && slash > 0;
         slash = directory_.rfind('/', slash - 1))
        is_new |= watch_one(directory_.substr(0, slash), own_disappearance);
    return is_new;
}

bool DirectoryKeeper::watch_one(const std::string& path, std::uint32_t events) {
    // One that cannot be read cannot be watched; most likely nobody moves it either.
    const Result<int> number = inotify_.add(path, events);
    return number && watches_.insert(*number).second;
}

} // namespace livesock

#include "supervisor/upstream/kept_socket.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>

#include <unistd.h>

namespace livesock {

SocketName::SocketName(std::string path)
    : path_(std::move(path))
    , file_(file_at(path_)) {}

bool SocketName::is_there() const {
    return file_ && file_at(path_) == file_;
}

void SocketName::remove() {
    if (is_there())
        ::unlink(path_.c_str());
    file_.reset();
}

void KeptSocket::failed(const Error& error) {
    if (error.message != reason_)
        log::warning("{}; tried again from time to time", error.message);
    reason_ = error.message;
}

void KeptSocket::opened(EventLoop& loop, const std::string& path, std::function<bool()> restore) {
    reason_.clear();
    if (path.empty())
        return;
    name_ = SocketName(path);
    if (keeper_)
        return;
    Result<std::unique_ptr<DirectoryKeeper>> keeper = DirectoryKeeper::create(
        loop, path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)), std::move(restore));
    if (!keeper) {
        log::warning("{}; if '{}' is deleted, it is not made again", keeper.error().message,
                     escaped(path));
        return;
    }
    keeper_ = std::move(*keeper);
    // It may have gone before it was watched.
    keeper_->look();
}

} // namespace livesock

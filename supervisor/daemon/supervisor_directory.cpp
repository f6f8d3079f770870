// The supervisor's names in the runtime directory: what has disappeared is made again.
#include "preload/report.h"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/daemon/supervisor.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

void unlink_own(const std::string& path, const std::optional<FileId>& own) {
    if (own && file_at(path) == own)
        ::unlink(path.c_str());
}

} // namespace

void Supervisor::keep_directory() {
    agent_name_ = file_at(directory_.entry(agent_socket_name));
    control_name_ = file_at(directory_.entry(control_socket_name));
    Result<std::unique_ptr<DirectoryKeeper>> keeper =
        DirectoryKeeper::create(loop_, directory_.path(), [this] { return restore_names(); });
    if (!keeper) {
        log::warning("{}; if '{}' is deleted, it is not made again", keeper.error().message,
                     directory_.path());
        return;
    }
    keeper_ = std::move(*keeper);
    // It may have gone before it was watched.
    keeper_->look();
}

bool Supervisor::restore_names() {
    const Result<void> restored = try_to_restore_names();
    if (!restored && restored.error().message != told_of_directory_)
        log::warning("{}; tried again from time to time", restored.error().message);
    told_of_directory_ = restored ? std::string() : restored.error().message;
    return restored.ok();
}

Result<void> Supervisor::try_to_restore_names() {
    if (!lock_.is_lock_of(directory_)) {
        const Result<void> claimed = claim_again();
        if (!claimed && claimed.error().code == EWOULDBLOCK) {
            log::warning("'{}' was deleted or replaced and has a supervisor of its own ({}): this "
                         "one ends",
                         directory_.path(), claimed.error().message);
            stop();
            return {};
        }
        if (!claimed)
            return claimed.error();
    }
    log::reopen_file();
    if (Result<void> made = restore_agent_socket(); !made)
        return made;
    if (Result<void> made = restore_control_socket(); !made)
        return made;
    publisher_.restore();
    return {};
}

/// Makes the directory again, if need be, and becomes its one supervisor.
Result<void> Supervisor::claim_again() {
    const bool is_missing = !file_at(directory_.path());
    const Result<RuntimeDir> made = RuntimeDir::make(directory_.path());
    if (!made)
        return made.error();
    Result<SupervisorLock> lock = SupervisorLock::acquire(directory_);
    if (!lock)
        return lock.error();
    lock_ = std::move(*lock);
    log::reopen_file();
    log::warning("'{}' was deleted or replaced: it is made again",
                 is_missing ? directory_.path() : directory_.entry(lock_name));
    return {};
}

Result<void> Supervisor::restore_agent_socket() {
    const std::string path = directory_.entry(agent_socket_name);
    if (agent_name_ && file_at(path) == agent_name_)
        return {};
    Result<UniqueFd> socket = listen_in_place_of_dead(path);
    if (!socket)
        return socket.error();
    agent_name_ = file_at(path);
    agent_socket_is_passed_ = false;
    proxy_->listen_on(std::move(*socket));
    log::warning("'{}' was deleted: it is made again", path);
    return {};
}

Result<void> Supervisor::restore_control_socket() {
    const std::string path = directory_.entry(control_socket_name);
    if (control_name_ && file_at(path) == control_name_)
        return {};
    Result<UniqueFd> socket = listen_in_place_of_dead(path);
    if (!socket)
        return socket.error();
    control_name_ = file_at(path);
    control_->listen_on(std::move(*socket));
    log::warning("'{}' was deleted: it is made again", path);
    return {};
}

void Supervisor::remove_names() {
    publisher_.release();
    publisher_.publish(std::nullopt);
    if (stand_ins_)
        stand_ins_->withdraw();
    if (!agent_socket_is_passed_)
        unlink_own(directory_.entry(agent_socket_name), agent_name_);
    unlink_own(directory_.entry(control_socket_name), control_name_);
}

} // namespace livesock

#include "supervisor/broker/audit_log.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/broker/json_text.hpp"
#include "supervisor/broker/text_forms.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using nlohmann::json;

json text_or_null(std::string_view text) {
    return text.empty() ? json(nullptr) : json(text);
}

} // namespace

Result<void> AuditLog::prepare() {
    struct stat open_file {};
    struct stat named {};
    const bool is_there = fd_ && ::fstat(fd_.get(), &open_file) == 0 &&
                          ::lstat(path_.c_str(), &named) == 0 && open_file.st_ino == named.st_ino &&
                          open_file.st_dev == named.st_dev;
    if (is_there && static_cast<std::size_t>(open_file.st_size) <= largest_audit)
        return {};
    if (is_there)
        ::rename(path_.c_str(), (path_ + ".1").c_str());
    return open();
}

Result<void> AuditLog::open() {
    fd_.reset();
    const std::string directory = path_.substr(0, path_.rfind('/'));
    if (Result<RuntimeDir> made = RuntimeDir::make(directory); !made)
        return Error{fmt::format("cannot keep the audit in '{}': its directory is not one of yours "
                                 "alone (mode 0700): set broker.audit to a file in such a one",
                                 escaped(path_)),
                     made.error().code};
    const std::string what = fmt::format("cannot keep the audit in '{}'", escaped(path_));
    UniqueFd fd(::open(path_.c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       S_IRUSR | S_IWUSR));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return system_error(what, errno);
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return Error{fmt::format("{}: it is no file of yours with mode 0600", what), EPERM};
    fd_ = std::move(fd);
    return {};
}

Result<void> AuditLog::write(const AuditEntry& entry, std::chrono::system_clock::time_point now) {
    if (Result<void> ready = prepare(); !ready)
        return ready;
    json line = {{"ts", rfc3339(now)},
                 {"guest", entry.guest},
                 {"operation", entry.operation},
                 {"result", entry.result},
                 {"key", text_or_null(entry.key)},
                 {"approval", text_or_null(entry.approval)}};
    if (!entry.reason.empty())
        line["reason"] = entry.reason;
    const std::string text = json_text(line) + '\n';
    struct stat before {};
    if (::fstat(fd_.get(), &before) != 0)
        return system_error(fmt::format("cannot write the audit to '{}'", escaped(path_)), errno);
    const ssize_t written = ::write(fd_.get(), text.data(), text.size());
    if (written == static_cast<ssize_t>(text.size()))
        return {};
    const int code = written < 0 ? errno : ENOSPC;
    // The next line must not be one with the half of this.
    if (::ftruncate(fd_.get(), before.st_size) != 0)
        fd_.reset();
    return system_error(fmt::format("cannot write the audit to '{}'", escaped(path_)), code);
}

} // namespace livesock

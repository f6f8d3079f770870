#include "supervisor/upstream/report_publisher.hpp"

#include "preload/report.h"
#include "supervisor/base/log.hpp"
#include "supervisor/base/runtime_dir.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace livesock {
namespace {

std::optional<std::string> target_of(const std::string& link) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
    if (length < 0)
        return std::nullopt;
    return std::string(target, static_cast<std::size_t>(length));
}

} // namespace

ReportPublisher::ReportPublisher(const RuntimeDir& directory)
    : link_(directory.entry(live_link_name)) {
    ::unlink(link_.c_str());
}

ReportPublisher::ReportPublisher(const RuntimeDir& directory, Held /*unused*/)
    : link_(directory.entry(live_link_name))
    , is_held_(true) {}

void ReportPublisher::release() {
    if (!std::exchange(is_held_, false))
        return;
    published_ = target_of(link_);
    const std::optional<std::string> wanted = wanted_;
    publish(wanted);
}

void ReportPublisher::restore() {
    if (is_held_ || target_of(link_) == wanted_)
        return;
    published_.reset();
    const std::optional<std::string> wanted = wanted_;
    publish(wanted);
}

void ReportPublisher::publish(const std::optional<std::string>& agent) {
    wanted_ = agent;
    if (is_held_ || agent == published_)
        return;
    if (!agent) {
        if (::unlink(link_.c_str()) != 0 && errno != ENOENT)
            log::warning("cannot remove '{}': {}", link_, std::strerror(errno));
        else
            published_.reset();
        return;
    }
    const std::string temporary = link_ + ".new";
    ::unlink(temporary.c_str());
    if (::symlink(agent->c_str(), temporary.c_str()) != 0 ||
        ::rename(temporary.c_str(), link_.c_str()) != 0) {
        const int code = errno;
        ::unlink(temporary.c_str());
        if (std::exchange(has_failed_, true))
            return;
        log::warning("cannot make '{}' lead to the live agent: {}; programs under the shim go "
                     "through the proxy {}",
                     link_, std::strerror(code),
                     code == EISDIR ? "until it is removed" : "meanwhile");
        return;
    }
    published_ = agent;
    has_failed_ = false;
}

} // namespace livesock

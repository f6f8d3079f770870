#include "supervisor/upstream/discovery.hpp"

#include "supervisor/base/file.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// So many directories are looked into, or sockets handed over, before others get their turn.
constexpr int steps_per_turn = 32;

/// Directories found by wildcard that are watched at once; beyond it the oldest is let go.
constexpr std::size_t most_found_watches = 512;

/// Where names appear that are none of our business, they are read in batches this far apart: a
/// build machine's /tmp would otherwise wake us for every file.
constexpr auto busy_pause = 5ms;

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// A directory that a wildcard found: anybody may have made it.
bool is_private_directory(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           (status.st_uid == ::geteuid() || status.st_uid == 0) &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// What readdir(3) says of an entry, if the file system tells; a symlink may lead anywhere.
bool may_be(unsigned char type, unsigned char wanted) {
    return type == wanted || type == DT_LNK || type == DT_UNKNOWN;
}

std::string child(const std::string& directory, std::string_view name) {
    return (directory == "/" ? "" : directory) + '/' + std::string(name);
}

} // namespace

Discovery::Discovery(EventLoop& loop, Inotify inotify,
                     std::function<void(const std::string&, Origin)> on_socket)
    : inotify_(std::move(inotify))
    , on_socket_(std::move(on_socket))
    , readable_(loop.on_readable(inotify_.fd(), [this] { read_events(); }))
    , work_(loop.timer([this] { work(); }))
    , read_later_(loop.timer([this] { readable_.resume(); })) {}

Result<std::unique_ptr<Discovery>>
Discovery::create(EventLoop& loop, const DiscoverySettings& settings,
                  const std::string& home_pattern,
                  std::function<void(const std::string&, Origin)> on_socket) {
    Result<Inotify> inotify = Inotify::create();
    if (!inotify)
        return inotify.error();
    std::unique_ptr<Discovery> discovery(
        new Discovery(loop, std::move(*inotify), std::move(on_socket)));
    std::vector<Rule>& rules = discovery->rules_;
    if (settings.forwarded) {
        rules.push_back({PathPattern("/tmp/ssh-*/agent.*"), Origin::forwarded, true});
        if (home_pattern.starts_with('/'))
            rules.push_back(
                {PathPattern(home_pattern + "/.ssh/agent/s.*.sshd.*"), Origin::forwarded, false});
    }
    for (const std::string& glob : settings.globs)
        rules.push_back({PathPattern(glob), Origin::configured, false});
    discovery->rescan();
    discovery->readable_.resume();
    return discovery;
}

bool Discovery::covers(std::string_view path) const {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const Rule& rule) { return rule.pattern.matches_path(path); });
}

void Discovery::look_again(const std::string& path) {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        const Rule& rule = rules_[i];
        if (!rule.one_per_directory || !rule.pattern.matches_path(path))
            continue;
        const Place place{i, rule.pattern.size() - 1, path.substr(0, path.rfind('/')), false};
        // What the wildcard found may have gone, and somebody else's be in its place.
        if (!is_private_directory(place.path))
            continue;
        watch(place);
        scan(place);
    }
}

void Discovery::rescan() {
    for (std::size_t rule = 0; rule < rules_.size(); ++rule)
        anchor(rule);
}

/// Begins a rule at the deepest directory of its literal part that exists.
void Discovery::anchor(std::size_t rule) {
    const PathPattern& pattern = rules_[rule].pattern;
    std::size_t level = 0;
    while (!pattern.is_last(level) && pattern.is_literal(level) &&
           is_directory(pattern.directory(level + 1)))
        ++level;
    enter({rule, level, pattern.directory(level), true});
}

void Discovery::enter(Place place) {
    unscanned_.push_back(std::move(place));
    work_.start(0s);
}

/// Does a little of what there is to do, so that others get their turn.
void Discovery::work() {
    for (int i = 0; i < steps_per_turn && !(found_.empty() && unscanned_.empty()); ++i) {
        if (found_.empty()) {
            scan_next();
            continue;
        }
        const auto [path, origin] = std::move(found_.front());
        found_.pop_front();
        on_socket_(path, origin);
    }
    if (!found_.empty() || !unscanned_.empty())
        work_.start(0s);
}

void Discovery::scan_next() {
    const Place place = std::move(unscanned_.front());
    unscanned_.pop_front();
    const Rule& rule = rules_[place.rule];
    // A directory that has its one socket needs no watch while somebody listens there. One that has
    // not is watched first and then looked into again: the socket may have come in between.
    if (rule.one_per_directory && rule.pattern.is_last(place.level) && scan(place))
        return;
    watch(place);
    scan(place);
}

/// Whether anything in `place` fitted.
bool Discovery::scan(const Place& place) {
    const OpenDirectory directory(::opendir(place.path.c_str()));
    bool has_fitted = false;
    while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
        const PathPattern& pattern = rules_[place.rule].pattern;
        if (!pattern.matches(place.level, entry->d_name) ||
            !may_be(entry->d_type, pattern.is_last(place.level) ? DT_SOCK : DT_DIR))
            continue;
        has_fitted = true;
        appeared(place, entry->d_name);
    }
    return has_fitted;
}

void Discovery::watch(const Place& place) {
    const Result<int> number = inotify_.add(place.path);
    if (!number) {
        // A directory that a wildcard found and that is closed to us is no place for an agent of
        // ours.
        const int code = number.error().code;
        const bool is_trouble =
            code == ENOSPC || code == ENOMEM || (code == EACCES && place.is_anchor);
        if (is_trouble && !std::exchange(warned_, true))
            log::warning("{}; new agents there are not noticed (see fs.inotify.max_user_watches)",
                         number.error().message);
        return;
    }
    std::vector<Place>& places = watched_[*number];
    const bool is_known = std::any_of(places.begin(), places.end(), [&](const Place& known) {
        return known.rule == place.rule && known.level == place.level;
    });
    if (is_known)
        return;
    places.push_back(place);
    if (!place.is_anchor && !rules_[place.rule].pattern.is_literal(place.level - 1)) {
        found_watches_.push_back(*number);
        if (found_watches_.size() > most_found_watches)
            forget_oldest();
    }
}

void Discovery::forget_oldest() {
    const int number = found_watches_.front();
    found_watches_.pop_front();
    const auto found = watched_.find(number);
    if (found == watched_.end())
        return;
    std::erase_if(found->second, [this](const Place& place) {
        return !place.is_anchor && !rules_[place.rule].pattern.is_literal(place.level - 1);
    });
    if (!found->second.empty())
        return;
    watched_.erase(found);
    inotify_.remove(number);
}

void Discovery::appeared(const Place& place, std::string_view name) {
    const Rule& rule = rules_[place.rule];
    const std::string path = child(place.path, name);
    if (rule.pattern.is_last(place.level)) {
        found_.emplace_back(path, rule.origin);
        work_.start(0s);
    } else if (rule.pattern.is_literal(place.level) ? is_directory(path)
                                                    : is_private_directory(path)) {
        enter({place.rule, place.level + 1, path, false});
    }
}

void Discovery::read_events() {
    bool has_fitted = false;
    inotify_.read([&](const Inotify::Event& event) { has_fitted |= take(event); });
    if (has_fitted)
        return;
    readable_.pause();
    read_later_.start(busy_pause);
}

/// Whether the event was any of our business.
bool Discovery::take(const Inotify::Event& event) {
    if (event.is_overflow) {
        rescan();
        return true;
    }
    if (event.is_ended) {
        lost(event.watch);
        return true;
    }
    const auto found = watched_.find(event.watch);
    if (found == watched_.end())
        return false;
    bool has_fitted = false;
    for (const Place& place : found->second) {
        if (!rules_[place.rule].pattern.matches(place.level, event.name))
            continue;
        has_fitted = true;
        appeared(place, event.name);
    }
    return has_fitted;
}

void Discovery::lost(int number) {
    const auto found = watched_.find(number);
    if (found == watched_.end())
        return;
    const std::vector<Place> places = std::move(found->second);
    watched_.erase(found);
    std::erase(found_watches_, number);
    for (const Place& place : places)
        if (place.is_anchor)
            anchor(place.rule);
}

} // namespace livesock

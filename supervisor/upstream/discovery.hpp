// Finds agent sockets where sshd and the user's configuration say that they appear.
#pragma once

#include "supervisor/loop/event_loop.hpp"
#include "supervisor/upstream/candidate.hpp"
#include "supervisor/upstream/inotify.hpp"
#include "supervisor/upstream/path_pattern.hpp"
#include "supervisor/upstream/settings.hpp"

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace livesock {

/// Follows a set of path patterns through the file system: one scan, then inotify. Directories are
/// watched before they are looked into, so that nothing appears unseen between the two.
///
/// Only names that fit are looked at; a directory found by a wildcard must be a real one that only
/// this user and root can write to. All else is passed over in silence.
class Discovery {
  public:
    /// `home_pattern` is a glob(7) pattern that leads to the home directory, empty if there is
    /// none. `on_socket` is called from the loop for everything that fits a whole pattern; whether
    /// it is a socket, and whose, is for the callee to find out. Error: no inotify to be had.
    static Result<std::unique_ptr<Discovery>>
    create(EventLoop& loop, const DiscoverySettings& settings, const std::string& home_pattern,
           std::function<void(const std::string& path, Origin origin)> on_socket);

    /// Whether all that there is has been handed over.
    bool is_settled() const { return found_.empty() && unscanned_.empty(); }

    /// To be called when nobody listens at `path` any more, which was found: another may come
    /// there.
    void look_again(const std::string& path);

    /// Whether `path` is of those that are looked for.
    bool covers(std::string_view path) const;

  private:
    struct Rule {
        PathPattern pattern;
        Origin origin = Origin::configured;
        bool one_per_directory = false; // sshd makes a directory for each socket
    };
    /// A directory in which entries that fit component `level` of a rule are looked for.
    struct Place {
        std::size_t rule = 0;
        std::size_t level = 0;
        std::string path;
        bool is_anchor = false; // where the rule begins, as deep as its literal part exists
    };

    Discovery(EventLoop& loop, Inotify inotify,
              std::function<void(const std::string&, Origin)> on_socket);

    void anchor(std::size_t rule);
    void enter(Place place);
    void work();
    void scan_next();
    bool scan(const Place& place);
    void watch(const Place& place);
    void forget_oldest();
    void appeared(const Place& place, std::string_view name);
    void read_events();
    bool take(const Inotify::Event& event);
    void lost(int watch);
    void rescan();

    Inotify inotify_;
    std::function<void(const std::string&, Origin)> on_socket_;
    std::vector<Rule> rules_;
    std::map<int, std::vector<Place>> watched_;
    std::deque<int> found_watches_; // of directories found by wildcard, oldest first
    std::deque<Place> unscanned_;
    std::deque<std::pair<std::string, Origin>> found_; // and not handed over yet
    Watch readable_;
    Watch work_;
    Watch read_later_;
    bool warned_ = false;
};

} // namespace livesock

// What a stand-in does to the file system, one path at a time. See the paragraph in stand_in.cpp on
// why it can be interrupted anywhere.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/upstream/stand_in_directory.hpp"

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// Makes, moves and removes the names of stand-ins: symlinks, at the paths of agents that are of no
/// use, that lead to the stable socket. It trusts no name: directories are opened and checked, and
/// what lies at a path is looked at before anything is done to it.
///
/// An Error is a refusal: what is at the path was left as it is, and the message says why and what
/// to do. Calls do not wait.
class StandInFiles {
  public:
    /// What names of ours that are not to stay begin with.
    static constexpr std::string_view temporary_prefix = ".livesock-stand-in-";

    /// `target` is where every stand-in leads; symlinks that lead there are ours.
    StandInFiles(ForwardedPlaces places, std::string target);

    enum class Made {
        now,     ///< the stand-in is there
        before,  ///< it was there
        answers, ///< somebody listens at the path: nothing was done
    };
    /// Puts a stand-in at a path at which nobody listens, with its directory where a login's has
    /// vanished, in place of a socket of this user that refuses.
    Result<Made> stand_in(const ForwardedPath& path);

    /// Renames the socket at `path`, whose agent is hung, to aside_name(), and puts a stand-in in
    /// its place, in one step.
    Result<void> set_aside(const ForwardedPath& path);

    /// Gives the socket that was set aside its name again. Error::code is ENOENT if there is none,
    /// EEXIST if something that is not ours has its name: it then stays aside.
    Result<void> put_back(const ForwardedPath& path);

    /// Removes the socket that was set aside if nobody listens there any more, and a login's
    /// directory that is empty then. False if somebody does, or it cannot be told.
    bool drop_dead_aside(const ForwardedPath& path);

    /// Whether a stand-in of ours is at `path`.
    bool is_standing(const ForwardedPath& path) const;

    /// Removes the stand-in at `path`, and a login's directory that holds nothing else. Without
    /// effect where there is no stand-in of ours.
    void remove(const ForwardedPath& path);

    /// Puts right what a predecessor left, wherever it ended: sockets that were set aside have
    /// their names again, except for those of the paths in `hung`; what was half made is gone.
    /// Returns the other stand-ins that are there.
    std::vector<ForwardedPath> recover(const std::set<std::string>& hung = {});

    /// The paths where a stand-in has the name of a socket that is set aside and at which somebody
    /// listens.
    std::vector<ForwardedPath> set_aside_now() const;

    /// The name, in the same directory, of a socket that is set aside.
    static std::string aside_name(const ForwardedPath& path) {
        return path.name + std::string(aside_suffix);
    }
    static std::string aside_path(const ForwardedPath& path) {
        return path.directory + '/' + aside_name(path);
    }

    const ForwardedPlaces& places() const { return places_; }

    /// Called between any two changes of the file system; for tests, which end there.
    std::function<void()> between_steps = [] {};

  private:
    Result<Made> make_session(const ForwardedPath& path);
    Result<void> replace(const StandInDirectory& directory, const ForwardedPath& path);
    Result<void> link(const StandInDirectory& directory, const std::string& name) const;
    void unlink_ours(const StandInDirectory& directory, const std::string& name) const;
    bool remove_session(const StandInDirectory& directory, const ForwardedPath& path);
    void for_each_directory(const std::function<void(PlaceKind, const std::string&)>& visit) const;
    Result<StandInDirectory> open(PlaceKind kind, const std::string& path) const;
    std::optional<ForwardedPath> path_of_aside(const std::string& directory,
                                               std::string_view name) const;
    void adopt(const StandInDirectory& directory, const ForwardedPath& path);
    void recover_in(const StandInDirectory& directory, PlaceKind kind, const std::string& path,
                    const std::set<std::string>& hung, std::vector<ForwardedPath>& standing);
    void clear_workshop(const StandInDirectory& tmp, const std::string& name) const;

    ForwardedPlaces places_;
    std::string target_;
    std::string tmp_; // places_.tmp without symlinks
};

} // namespace livesock

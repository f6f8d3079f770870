// The stand-ins that are there, and when they come and go.
#pragma once

#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/socket_users.hpp"
#include "supervisor/upstream/stand_in.hpp"
#include "supervisor/upstream/stand_in_plan.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace livesock {

/// More stand-ins at once are not made: something else is wrong then.
inline constexpr std::size_t most_stand_ins = 256;

/// One stand-in, for status.
struct StandInView {
    std::string path;
    StandInReason reason = StandInReason::dead;
    PathUsers users;
};

/// What was done about one path.
struct HealOutcome {
    enum class Result { unchanged, stood_in, set_aside, put_back, removed, refused };
    std::string path;
    Result result = Result::unchanged;
    std::string detail; ///< a sentence for a person
};
[[nodiscard]] std::string_view name_of(HealOutcome::Result result);

/// Sees to it that every path to which a running process refers and which is of no use leads to the
/// stable socket, and that no stand-in stays that nobody needs. It owns the names that are made for
/// that.
///
/// It acts when an agent of the pool dies, hangs or answers again. It looks at the processes when
/// one dies or hangs, and every now and then.
class StandIns {
  public:
    /// The pool must outlive this, and nothing may be done with the pool in between.
    StandIns(EventLoop& loop, AgentPool& agents, StandInFiles files, StandInMode mode);

    /// Puts right what a predecessor left, and looks at the processes.
    void start();
    /// The same, but goes on with the stand-ins for agents that hang.
    void take_over();

    void apply(StandInMode mode);

    /// Removes every stand-in and gives every socket its name again: for the end.
    void withdraw();

    /// Leaves everything as it is to a successor's take_over(); does nothing more.
    void retire();

    /// Looks at the processes now, does what there is to do, and then tells of each of `paths`, or,
    /// where none are named, of each to which a process refers.
    void heal(std::vector<std::string> paths, std::function<void(std::vector<HealOutcome>)> done);

    std::vector<StandInView> list() const;

  private:
    struct Standing {
        ForwardedPath path;
        StandInReason reason = StandInReason::dead;
        int absences = 0; // scans in a row that found nobody who refers to it
    };
    struct Heal {
        std::vector<std::string> paths;
        std::function<void(std::vector<HealOutcome>)> done;
        bool awaits_next_scan = false;
    };

    void begin();
    void on_scanned(UsersByPath users);
    void count_absences();
    void on_agents_changed();
    bool has_lost_agent();
    bool is_over(const ForwardedPath& path);
    void put_live_back();
    void finish_heals();
    HealOutcome look_at(const std::string& path);
    HealOutcome settle(const ForwardedPath& path);
    void forget_if_gone(const ForwardedPath& path);
    HealOutcome take(StandInStep step, const ForwardedPath& path);
    HealOutcome stand_in(const ForwardedPath& path);
    HealOutcome set_aside(const ForwardedPath& path);
    HealOutcome put_back(const ForwardedPath& path);
    HealOutcome bury(const ForwardedPath& path);
    HealOutcome remove(const ForwardedPath& path);
    HealOutcome refuse(const std::string& path, const std::string& why);
    std::string why_nothing(const PathView& view) const;
    PathView view_of(const std::string& path) const;
    Candidate* agent_at(const std::string& path) const;
    PathUsers users_of(const std::string& path) const;

    AgentPool& agents_;
    StandInFiles files_;
    StandInMode mode_;
    SocketUsers scanner_;
    Watch look_again_;
    UsersByPath users_; // as the last scan found them
    std::map<std::string, Standing> standing_;
    std::set<std::string> warned_;
    std::map<std::string, bool> known_agents_; // and whether each was hung
    std::vector<Heal> heals_;
};

} // namespace livesock

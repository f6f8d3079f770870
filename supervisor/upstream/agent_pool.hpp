// All agents that are known, and the one that is used.
#pragma once

#include "supervisor/upstream/candidate.hpp"
#include "supervisor/upstream/report_publisher.hpp"
#include "supervisor/upstream/selection.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace livesock {

/// More agents than this at once are not watched; the rest is ignored, with one warning.
inline constexpr std::size_t most_agents = 128;

/// Owns the candidates, chooses among them whenever one changes, and publishes the choice.
class AgentPool {
  public:
    AgentPool(EventLoop& loop, ProbeSettings settings, ReportPublisher& publisher);

    /// Takes up the agent at `path`; one that is known is asked anew if it was dead. The error says
    /// why `path` is refused, or that nobody listens there.
    Result<Candidate*> add(const std::string& path, Origin origin);

    /// Takes up an agent that was registered before: also while nobody listens there.
    void restore(const std::string& path);

    /// Takes up an agent whose socket a stand-in has made room for: it has the name `path`, and
    /// listens at `socket`.
    void add_aside(const std::string& path, const std::string& socket, Origin origin);

    /// Takes up an agent that is reached by a route under `name`, which no other agent has, and
    /// asks it unless it rests until it is needed. It is never given up by itself.
    Candidate& add_routed(const std::string& name, RoutedAgent routed);

    /// A socket that would lead requests back to us, by whatever name: never an agent.
    void never_use(const std::string& path) { own_sockets_.push_back(path); }
    const std::vector<std::string>& own_sockets() const { return own_sockets_; }

    /// A client has sent `request`. Whether it is a question of our own that an agent has brought
    /// back: that one is found out, and the client's answer is a failure.
    bool comes_back(const Message& request);

    /// Forgets every agent for which `is_unwanted`; not to be called by an agent's own callback.
    void forget_if(const std::function<bool(const Candidate&)>& is_unwanted);

    /// The agent that requests go to, null while there is none. Candidates stay valid until the
    /// loop calls back the next time: keep a path and find() it again.
    Candidate* selected() const { return selected_; }
    /// The best of the agents whose path is not in `excluded`, null if there is none. For one who
    /// prefers the candidate with the id `preferred` that comes before those that are as good.
    Candidate* best_except(std::span<const std::string> excluded,
                           std::uint64_t preferred = 0) const;
    /// The agent of `login`, null if it is not known.
    Candidate* find(const Login& login) const;
    Candidate* find(const std::string& path) const;
    /// The candidate with this Candidate::id(), null if it has been forgotten.
    Candidate* find(std::uint64_t id) const;
    /// Whether `candidate` would be used if it were live.
    bool needs(const Candidate& candidate) const;
    std::span<const std::unique_ptr<Candidate>> candidates() const { return candidates_; }

    /// By which kind of name agents were pinned, and the labels of all whose name it is.
    struct Choice {
        NameKind kind = NameKind::path;
        std::vector<std::string> among = {};
    };
    /// Prefers, from now on, the agents that are called `wanted`, and goes with their client (see
    /// Pin). Error::code is ENOENT if it is nobody's name who is known.
    Result<Choice> pin(const std::string& wanted);
    void unpin();
    /// Prefers what was pinned before, whether or not it fits an agent by now.
    void restore_pin(const Pin& pin);
    const Pin& pinned() const { return pin_; }
    bool is_pinned(const Candidate& candidate) const;

    /// What is open at this moment is answered first, then every agent says again which keys it
    /// has, or does not within `patience`; then `done` is called, once.
    void refresh(Duration patience, std::function<void()> done);

    /// Has `live` lead to `path` instead of to the agent, while one is live: nobody is to go round
    /// the proxy. Empty: to the agent.
    void publish_instead(const std::string& path);

    /// Whether every agent has answered its first question, or is known not to.
    bool is_settled() const;
    bool has_fallback() const;

    /// Opens no connection any more that no client has asked for.
    void keep_no_spares();

    /// Calls `listener` from the loop whenever an agent or the choice has changed.
    void on_change(std::function<void()> listener);

    /// Calls `listener` before every choice: the last moment at which an agent's socket can get its
    /// own name back before that is published.
    void before_choice(std::function<void()> listener) { before_choice_ = std::move(listener); }

    /// Calls `listener` from the loop with the name of each socket that is forgotten because nobody
    /// listens there.
    void on_gone(std::function<void(const std::string&)> listener) {
        on_gone_ = std::move(listener);
    }

    void apply(const ProbeSettings& settings);
    void apply(const Labels& labels);
    /// Candidate::limit_upstreams() for each of them.
    void limit_upstreams(std::size_t most);

  private:
    struct Refresh {
        std::function<void()> done;
        Watch patience;
        bool finished = false;
    };

    std::unique_ptr<Candidate> make(SocketFile file, Origin origin);
    void update();
    std::vector<AgentView> views(std::span<const std::string> excluded,
                                 std::uint64_t preferred) const;
    Candidate* find_fallback_at(const std::string& path) const;
    bool make_room();
    void note_change();
    bool tell_news();
    void sweep();
    void select();
    void finish_refreshes();
    void find_pinned();

    EventLoop& loop_;
    OriginCheck origin_check_;
    ProbeSettings settings_;
    std::size_t most_upstreams_ = default_most_upstreams;
    ReportPublisher& publisher_;
    std::string published_instead_;
    std::vector<std::string> own_sockets_;
    HostNames host_names_;
    Pin pin_;
    std::vector<std::unique_ptr<Candidate>> candidates_;
    std::vector<const Candidate*> pinned_; // those that the pin fitted when it was last looked at
    Candidate* selected_ = nullptr;
    std::vector<std::function<void()>> listeners_;
    std::function<void()> before_choice_;
    std::function<void(const std::string&)> on_gone_;
    std::vector<std::unique_ptr<Refresh>> refreshes_;
    Watch update_;
    bool has_changed_ = false;
    bool warned_of_limit_ = false;
};

} // namespace livesock

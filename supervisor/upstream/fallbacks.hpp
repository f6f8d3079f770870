// The agents of [[fallback]], kept among the others and started when there is need of them.
#pragma once

#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/children.hpp"
#include "supervisor/upstream/settings.hpp"

#include <string>
#include <vector>

namespace livesock {

/// Makes agents of the user's fallbacks, and sees to it that a command runs only while no agent
/// that comes before it is live. Where several commands could be needed they are started one after
/// the other.
class Fallbacks {
  public:
    /// `keys_socket`: where the private ssh-agent listens; `home` is empty if unknown. `agents`
    /// and `children` outlive this.
    Fallbacks(EventLoop& loop, AgentPool& agents, Children& children, std::string keys_socket,
              std::string home);

    /// Has these fallbacks and no others from now on. What is the same as before stays as it is.
    void apply(const std::vector<FallbackSettings>& settings);

  private:
    struct Known {
        FallbackSettings settings;
        std::string name; // the path of its Candidate
    };

    void forget_all_but(const std::vector<FallbackSettings>& settings);
    void add(const FallbackSettings& settings, std::size_t tier);
    std::string name_of(const FallbackSettings& settings) const;
    RoutedAgent make(const FallbackSettings& settings, const std::string& name, std::size_t tier);
    void on_agents_changed();
    Candidate* next_to_wake() const;
    bool is_one_asked_before(const Candidate& next) const;
    void wake_next();

    EventLoop& loop_;
    AgentPool& agents_;
    Children& children_;
    std::string keys_socket_;
    std::string home_;
    std::vector<Known> known_; // in no order
    Watch wake_;
    const Candidate* waking_ = nullptr; // whom wake_ is for
};

} // namespace livesock

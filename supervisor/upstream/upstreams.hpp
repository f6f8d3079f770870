// The agents of [[upstream]], kept among the others.
#pragma once

#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/children.hpp"
#include "supervisor/upstream/settings.hpp"
#include "supervisor/upstream/status_file.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace livesock {

/// Makes agents of what the user has configured: they are asked at once, and again for as long as
/// they are configured.
class Upstreams {
  public:
    /// What cannot be made here, for what it takes belongs to another layer: null, or the route to
    /// the bus of `settings`, which is shown `token`, if that is not empty.
    using MakeBus = std::function<std::unique_ptr<Route>(const UpstreamSettings& settings,
                                                         const std::string& token)>;

    /// `agents` and `children` outlive this.
    Upstreams(EventLoop& loop, AgentPool& agents, Children& children, MakeBus make_bus = {});

    /// Has these upstreams and no others from now on. What is the same as before stays as it is,
    /// unless its token has changed.
    void apply(const std::vector<UpstreamSettings>& settings);

    /// Somebody else keeps the status files from now on, until keep_status_files().
    void leave_status_files() { has_left_ = true; }
    void keep_status_files();

  private:
    struct Known {
        UpstreamSettings settings;
        std::string name; // the path of its Candidate
        std::string token;
        StatusFile status;
    };
    struct Made {
        std::unique_ptr<Route> route;
        std::string name;
        std::string label;
        bool keeps_spare = true;
    };

    void forget(Known& known);
    void tell_status();
    void add(const UpstreamSettings& settings, const std::string& token);
    Made make(const UpstreamSettings& settings, const std::string& token);
    std::string unique(const std::string& name) const;

    EventLoop& loop_;
    AgentPool& agents_;
    Children& children_;
    MakeBus make_bus_;
    std::vector<Known> known_;
    bool has_left_ = false;
    Watch again_;
};

} // namespace livesock

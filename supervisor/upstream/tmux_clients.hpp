// From where the session of a tmux pane was typed in last.
#pragma once

#include "supervisor/loop/event_loop.hpp"
#include "supervisor/upstream/children.hpp"
#include "supervisor/upstream/login.hpp"

#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// A pane of a tmux server.
struct Pane {
    std::string socket; ///< of the server; empty for none
    std::string id;     ///< "%3"

    auto operator<=>(const Pane&) const = default;
};

/// The process that `listing` shows to have been active last, of lines of "seconds pid mark", as
/// tmux prints them for us; nothing if there is none. tmux tells whole seconds: of those that were
/// active in the same one it is that with the mark "1", which the hooks of `livesock setup` set,
/// else the first.
[[nodiscard]] std::optional<pid_t> last_active(std::string_view listing);

/// Asks tmux(1) which client of a pane's session was active last, without ever waiting for it, and
/// remembers for a moment what it has said.
class TmuxClients {
  public:
    /// An answer is used for so long before tmux is asked again.
    static constexpr std::chrono::milliseconds freshness{200};
    /// A tmux that has not answered by then is killed.
    static constexpr std::chrono::seconds patience{2};
    /// At most so many are asked at once, and so many answers are remembered.
    static constexpr std::size_t most_running = 4;
    static constexpr std::size_t most_known = 64;

    /// `children` outlives this. `on_answer` is called from the loop after every answer.
    TmuxClients(EventLoop& loop, Children& children, std::function<void()> on_answer,
                std::string tmux = "tmux");
    ~TmuxClients();

    /// The login of the client that was active last, as tmux has said; no login if it was none that
    /// came by ssh, or tmux does not answer.
    struct Answer {
        std::optional<Login> login;
        TimePoint at{};
    };
    /// What is known of `pane`; null if nothing is.
    const Answer* known(const Pane& pane) const;
    bool is_fresh(const Answer& answer) const { return Clock::now() < answer.at + freshness; }

    /// Asks about `pane`, unless that is being done; whether an answer is to come.
    bool ask(const Pane& pane);

  private:
    struct Query;

    void read(const Pane& pane);
    void give_up(const Pane& pane);
    void note(const Pane& pane, std::string_view listing);
    void remember(const Pane& pane, std::optional<Login> login);

    EventLoop& loop_;
    Children& children_;
    std::function<void()> on_answer_;
    std::string tmux_;
    std::map<Pane, Answer> known_;
    std::map<Pane, std::unique_ptr<Query>> running_;
    std::vector<Pane> ended_; // queries that cannot be destroyed in their own callback
    Watch sweep_;
};

} // namespace livesock

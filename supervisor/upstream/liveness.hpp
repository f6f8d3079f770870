// Whether an agent is alive, decided from what it was asked and what it answered, and when.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/upstream/settings.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>

namespace livesock {

enum class AgentState {
    fresh, ///< has not answered yet: nothing is known ("new")
    live,  ///< answered the last question in time
    late,  ///< has not answered for ProbeSettings::timeout: another live one is preferred
    hung,  ///< has not answered for ProbeSettings::hung_after: nothing is sent there
    dead,  ///< refused, gone, or it does not speak the protocol
};

[[nodiscard]] std::string_view name_of(AgentState state);

/// The state of one agent. Only a complete answer makes an agent live; only silence makes it late
/// and hung, and an answer, however late, makes it live again.
///
/// An agent that waits for its user's touch answers nobody: while a sign request is out there, and
/// for hung_after beyond its end, silence does not make it hung.
class Liveness {
  public:
    explicit Liveness(ProbeSettings settings)
        : settings_(settings) {}

    void apply(const ProbeSettings& settings) { settings_ = settings; }

    /// A question was sent (or could not even be sent, for want of room). Without effect while an
    /// earlier one is unanswered: silence counts from the first.
    void asked(TimePoint now);
    void answered(TimePoint now);
    /// The question that is open, if one is, was given up by us: its silence says nothing.
    void withdrawn() { asked_at_.reset(); }
    /// The agent is dead until it is asked and answers again.
    void died();
    /// The agent is asked no more: nothing is known of it until it answers again.
    void forget();

    void sign_began();
    void sign_ended(TimePoint now);
    bool is_signing() const { return signs_ > 0; }

    /// Lets silence until `now` take effect.
    void pass(TimePoint now);

    /// When silence next has an effect; nothing while no question is open or its effect has come.
    std::optional<TimePoint> deadline() const;

    AgentState state() const { return state_; }
    bool is_asked() const { return asked_at_.has_value(); }
    /// When the question that is open was asked; nothing while none is.
    std::optional<TimePoint> asked_at() const { return asked_at_; }
    /// How long the last answer took.
    std::optional<Duration> round_trip() const {
        return round_trips_.empty() ? std::nullopt : std::optional(round_trips_.back());
    }
    /// How long the last answers took, the oldest first.
    const std::deque<Duration>& round_trips() const { return round_trips_; }
    static constexpr std::size_t most_round_trips = 16;
    std::optional<TimePoint> last_answer() const { return last_answer_; }

  private:
    std::optional<TimePoint> hung_at() const;

    ProbeSettings settings_;
    AgentState state_ = AgentState::fresh;
    std::optional<TimePoint> asked_at_;
    std::optional<TimePoint> last_answer_;
    std::optional<TimePoint> last_sign_end_;
    std::deque<Duration> round_trips_;
    int signs_ = 0;
};

} // namespace livesock

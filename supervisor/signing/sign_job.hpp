// One request that needs the agent: a signature, or the key that would make it.
#pragma once

#include "supervisor/agent/agent_conversation.hpp"
#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/sshsig.hpp"
#include "supervisor/http/request.hpp"
#include "supervisor/signing/key_choice.hpp"
#include "supervisor/signing/metrics.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// What a SignJob needs of the world.
struct SigningWorld {
    EventLoop& loop;
    AgentDoor open_agent;
    std::function<AgentCounts()> agents;
};

class SignJob {
  public:
    enum class Task {
        sign,       ///< the message
        public_key, ///< only tell which key would
    };
    struct Order {
        Task task = Task::sign;
        std::string name_space{};
        WantedKey wanted{};
        std::vector<std::string> allowed{}; ///< fingerprints; none: all
        std::string who{};                  ///< for the log
        std::chrono::milliseconds timeout{0};
    };
    struct Outcome {
        HttpAnswer answer;
        std::string complaint{}; ///< for the log: what is wrong with the agent's answer
        std::string key{};       ///< the fingerprint of the key that has signed
    };
    using Done = std::function<void(const Outcome&)>;

    SignJob(const SigningWorld& world, Order order);

    /// A piece of the message.
    void add(std::string_view piece) { hash_.add(piece); }
    bool is_empty() const { return hash_.is_empty(); }

    /// Asks the agent and calls `done` once, from the loop, within the order's timeout. `done` must
    /// not destroy the job, which cancels it.
    void start(Done done);

    const Order& order() const { return order_; }
    TimePoint started() const { return started_; }
    bool is_started() const { return started_ != TimePoint{}; }

  private:
    void list();
    void on_list(const AgentAnswer& answer);
    void use(const Identity& identity);
    void sign(const std::string& blob);
    void on_signature(const AgentAnswer& answer);
    void on_agent_trouble(AgentAnswer::Kind kind);
    void finish(Outcome outcome);
    void fail(int status, std::string_view reason);
    Duration left() const;

    const SigningWorld& world_;
    Order order_;
    Done done_;
    MessageHash hash_;
    std::string data_;         ///< what is to be signed
    std::string blob_;         ///< the key that signs
    bool was_refused_ = false; ///< by the agent, and it is to be found out why
    TimePoint started_{};
    Watch refused_at_once_;
    std::unique_ptr<AgentConversation> agent_;
};

} // namespace livesock

#include "supervisor/signing/sign_job.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

/// When to ask again, in seconds, where an agent may come.
constexpr std::string_view retry_after = "5";

constexpr std::string_view signature_type = "application/x-ssh-signature";

/// A comment is the agent's text: it stays one line, and short.
constexpr std::size_t longest_comment = 256;

HttpAnswer unavailable(std::string_view reason) {
    HttpAnswer answer = refusal(503, reason);
    answer.headers.emplace_back("Retry-After", retry_after);
    return answer;
}

} // namespace

SignJob::SignJob(const SigningWorld& world, Order order)
    : world_(world)
    , order_(std::move(order)) {}

void SignJob::start(Done done) {
    done_ = std::move(done);
    started_ = Clock::now();
    Result<UniqueFd> connection = world_.open_agent();
    if (!connection) {
        refused_at_once_ = world_.loop.timer(
            [this] { finish({.answer = unavailable("no agent can be reached now: try again")}); });
        refused_at_once_.start(Duration::zero());
        return;
    }
    agent_ = std::make_unique<AgentConversation>(world_.loop, std::move(*connection));
    if (order_.task == Task::sign)
        data_ = sshsig_data(order_.name_space, hash_.finish());
    // Who knows the whole key needs no list.
    if (order_.task == Task::sign && !order_.wanted.blob.empty())
        sign(order_.wanted.blob);
    else
        list();
}

Duration SignJob::left() const {
    return std::max(Duration::zero(), started_ + order_.timeout - Clock::now());
}

void SignJob::list() {
    agent_->ask(request_identities_frame(), left(),
                [this](const AgentAnswer& answer) { on_list(answer); });
}

void SignJob::on_list(const AgentAnswer& answer) {
    if (answer.kind != AgentAnswer::Kind::answered) {
        on_agent_trouble(answer.kind);
        return;
    }
    const std::optional<std::vector<Identity>> identities = parse_identities(*answer.message);
    if (!identities) {
        on_agent_trouble(AgentAnswer::Kind::broken);
        return;
    }
    if (const Identity* const chosen = choose_key(*identities, order_.wanted, order_.allowed))
        use(*chosen);
    else if (!order_.wanted.fingerprint.empty())
        finish(
            {.answer = unavailable(fmt::format("the agent has no key {}: load it there (ssh-add)",
                                               order_.wanted.fingerprint))});
    else
        finish(
            {.answer = unavailable("the agent has no key that may sign here: load one (ssh-add)")});
}

void SignJob::use(const Identity& identity) {
    if (was_refused_)
        fail(502, fmt::format("the agent refuses to sign with {}: is it locked, or was the "
                              "confirmation declined?",
                              fingerprint(identity.blob)));
    else if (order_.task == Task::sign)
        sign(identity.blob);
    else
        finish({.answer = {.body = fmt::format("{} {}\n", key_line(identity.blob),
                                               escaped(identity.comment, longest_comment))},
                .key = fingerprint(identity.blob)});
}

void SignJob::sign(const std::string& blob) {
    blob_ = blob;
    const bool is_rsa = sshsig_algorithm(blob).starts_with("rsa-");
    agent_->ask(sign_request_frame(blob, data_, is_rsa ? sign_with_rsa_sha2_512 : 0), left(),
                [this](const AgentAnswer& answer) { on_signature(answer); });
}

void SignJob::on_signature(const AgentAnswer& answer) {
    if (answer.kind == AgentAnswer::Kind::refused) {
        was_refused_ = true;
        list();
        return;
    }
    if (answer.kind != AgentAnswer::Kind::answered) {
        on_agent_trouble(answer.kind);
        return;
    }
    const std::optional<std::string_view> signature = parse_signature(*answer.message);
    if (!signature) {
        on_agent_trouble(AgentAnswer::Kind::broken);
        return;
    }
    Result<std::string> armored = armored_sshsig(blob_, order_.name_space, *signature);
    if (armored)
        finish({.answer = {.body = std::move(*armored), .type = std::string(signature_type)},
                .key = fingerprint(blob_)});
    else
        finish({.answer = refusal(502, armored.error().message),
                .complaint = armored.error().message});
}

void SignJob::on_agent_trouble(AgentAnswer::Kind kind) {
    // The proxy answers with a failure where nobody is live: why not, only the agents' states say.
    if (kind == AgentAnswer::Kind::late || world_.agents().only_silent())
        fail(504,
             "the agent does not answer: is its client asleep, or does a key wait for a touch?");
    else if (kind == AgentAnswer::Kind::refused)
        finish({.answer = unavailable("no agent is live: log in with agent forwarding (ssh -A), or "
                                      "start an agent")});
    else
        finish({.answer = unavailable("the agent broke off: try again")});
}

void SignJob::fail(int status, std::string_view reason) {
    finish({.answer = refusal(status, reason)});
}

void SignJob::finish(Outcome outcome) {
    if (const Done done = std::exchange(done_, nullptr))
        done(outcome);
}

} // namespace livesock

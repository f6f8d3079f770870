// What the policy refuses, and what is told of requests.
#include "supervisor/proxy/proxy.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// One line in this time tells of failed requests, or of a pause; the others are counted.
constexpr auto telling_interval = 10s;

} // namespace

bool Proxy::may_tell(std::optional<TimePoint>& told) {
    const TimePoint now = Clock::now();
    if (told && now - *told < telling_interval)
        return false;
    told = now;
    return true;
}

std::optional<std::string> Proxy::rule_against(const Message& request, pid_t pid) const {
    if (!settings_.policy.restricts())
        return std::nullopt;
    std::vector<Identity> identities;
    if (!settings_.policy.keys.empty() && kind_of(request) == RequestKind::sign)
        for (const auto& agent : agents_.candidates())
            identities.insert(identities.end(), agent->identities().begin(),
                              agent->identities().end());
    return refused_by(settings_.policy, request, identities, pid);
}

bool Proxy::refuse(const Message& request, pid_t pid) {
    const std::optional<std::string> rule = rule_against(request, pid);
    if (!rule)
        return false;
    ClientFacts client = facts_of_client(pid);
    const RequestKind kind = kind_of(request);
    log::info("{} from '{}' (pid {}) is refused: {}", phrase_of(kind), client.program, pid, *rule);
    ++statistics_.failed;
    note_failure({.kind = kind,
                  .at = std::chrono::system_clock::now(),
                  .client = std::move(client),
                  .cause = "it is refused by " + *rule,
                  .waited = {},
                  .attempts = {}},
                 RequestEnd::refused);
    return true;
}

void Proxy::sign_waits(std::string_view blob, pid_t pid) {
    WaitingSign sign{.key = blob.empty() ? std::string() : fingerprint(blob),
                     .comment = {},
                     .program = pid != 0 ? program_of(pid) : std::string(),
                     .pid = pid};
    for (const auto& agent : agents_.candidates())
        for (const Identity& identity : agent->identities())
            if (identity.blob == blob)
                sign.comment = escaped(identity.comment);
    if (on_wait_)
        on_wait_(sign);
}

bool Proxy::may_tell_failure() {
    if (!may_tell(failure_told_at_)) {
        ++failures_untold_;
        return false;
    }
    if (const auto untold = std::exchange(failures_untold_, 0); untold > 0)
        log::warning("{} more requests failed, or clients were refused, meanwhile", untold);
    return true;
}

void Proxy::client_refused(const std::string& cause) {
    if (may_tell_failure())
        log::warning("a client is disconnected: {}", cause);
}

void Proxy::request_failed(FailedRequest request) {
    ++statistics_.failed;
    if (may_tell_failure())
        log::warning("{} is answered with a failure: {}", phrase_of(request.kind), request.cause);
    note_failure(std::move(request), RequestEnd::failed);
}

void Proxy::note_failure(FailedRequest request, RequestEnd end) {
    if (requests_.is_watched(Clock::now())) {
        const Attempt last = request.attempts.empty() ? Attempt{} : request.attempts.back();
        requests_.add({.number = 0,
                       .at = request.at,
                       .kind = request.kind,
                       .client = request.client,
                       .path = last.path,
                       .label = last.label,
                       .end = end,
                       .took = request.waited});
    }
    failures_.add(std::move(request));
}

void Proxy::request_answered(const Session& session) {
    ++statistics_.answered;
    const TimePoint now = Clock::now();
    if (!requests_.is_watched(now))
        return;
    const ClientUse use = session.use();
    const Candidate* const agent = agents_.find(use.agent);
    requests_.add({.number = 0,
                   .at = std::chrono::system_clock::now(),
                   .kind = use.request.value_or(RequestKind::other),
                   .client = facts_of_client(use.pid),
                   .path = agent != nullptr ? agent->path() : std::string(),
                   .label = agent != nullptr ? agent->label() : std::string(),
                   .end = RequestEnd::answered,
                   .took = now - use.since});
}

} // namespace livesock

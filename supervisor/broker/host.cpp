#include "supervisor/broker/host.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// The private ssh-agent is tried again so often while it is given its keys.
constexpr auto starting_pause = 50ms;

/// An agent's own limit comes first: it says why.
constexpr auto margin = 1s;

constexpr const char* no_audit = "the audit cannot be kept";
constexpr const char* no_such_key = "there is no such key";

std::string_view error_code(Operation operation) {
    return operation == Operation::sign ? sign_failed : internal_error;
}

std::string why_no_answer(const AgentAnswer& answer) {
    switch (answer.kind) {
    case AgentAnswer::Kind::answered:
        return "the agent's answer is malformed";
    case AgentAnswer::Kind::refused:
        return "no agent is live on the host, or it refuses";
    case AgentAnswer::Kind::broken:
        return "the connection to the agent has ended";
    case AgentAnswer::Kind::late:
        return "the agent did not answer in time";
    }
    return {};
}

} // namespace

struct Host::Job {
    Id id = 0;
    GuestSettings guest;
    bool needs_keys = false;
    GuestRequest request;
    Reply reply;
    std::string fingerprint = {}; // of request.key
    bool is_local = false;
    bool is_approved = false;
    Decision decision = {};
    Approver::Id question = 0;
    TimePoint begun = Clock::now();
    std::unique_ptr<AgentConversation> conversation = {};
    std::unique_ptr<AgentConversation> former = {}; // may be in its callback
    Watch again = {};
    bool is_over = false;
};

Host::Host(EventLoop& loop, Children& children, HostAgents agents, std::string audit)
    : loop_(loop)
    , agents_(std::move(agents))
    , approver_(loop, children)
    , audit_(std::move(audit))
    , sweep_(loop.on_demand([this] { sweep(); })) {}

Host::~Host() = default;

void Host::apply(const BrokerSettings& settings, std::string audit) {
    mode_ = settings.mode;
    rates_.clear();
    approver_.apply(settings.approve_command, settings.approve_timeout);
    if (audit != audit_.path())
        audit_ = AuditLog(std::move(audit));
}

void Host::check_audit() {
    if (const Result<void> ready = audit_.prepare(); !ready)
        log::warning("guests get no signatures: {}", ready.error().message);
}

Host::Id Host::handle(const GuestSettings& guest, bool needs_keys, GuestRequest request,
                      Reply reply) {
    auto made = std::make_unique<Job>(Job{.id = next_id_++,
                                          .guest = guest,
                                          .needs_keys = needs_keys,
                                          .request = std::move(request),
                                          .reply = std::move(reply)});
    Job& job = *made;
    const Id id = job.id;
    jobs_.emplace(id, std::move(made));
    begin(job);
    return id;
}

void Host::begin(Job& job) {
    if (job.request.operation == Operation::sign)
        job.fingerprint = fingerprint(job.request.key);
    if (is_refused(job))
        return;
    if (job.request.operation == Operation::ping) {
        finish(job, ping_payload());
        return;
    }
    if (const Result<void> ready = audit_.prepare(); !ready) {
        if (lines_.take(Clock::now()))
            log::warning("{}: guests get no answer until that is mended", ready.error().message);
        finish(job, error_payload(error_code(job.request.operation), no_audit));
        return;
    }
    connect(job);
}

bool Host::is_refused(Job& job) {
    const auto of_guest = std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& other) {
        return !other.second->is_over && other.second->guest.name == job.guest.name;
    });
    const TimePoint now = Clock::now();
    const auto per_minute = static_cast<std::size_t>(job.guest.rate);
    const auto rate = rates_.try_emplace(job.guest.name, per_minute, now).first;
    const std::string_view code = error_code(job.request.operation);
    if (rate->second.take(now))
        turn_away(job, code, fmt::format("more than {} requests a minute", job.guest.rate));
    else if (jobs_.size() > most_jobs || of_guest > static_cast<std::ptrdiff_t>(most_guest_jobs))
        turn_away(job, code, "too many requests are under way");
    else if (job.needs_keys && job.guest.keys.empty() && job.request.operation != Operation::ping)
        deny(job, code, "the host has not named the keys that this guest may use");
    return job.is_over;
}

void Host::connect(Job& job) {
    Result<UniqueFd> fd = open(job);
    if (fd) {
        on_connected(job, std::move(*fd));
        return;
    }
    // The private ssh-agent is starting.
    const bool may_wait =
        fd.error().code == EAGAIN && Clock::now() - job.begun < agents_.list_limit();
    if (!may_wait) {
        fail(job, error_code(job.request.operation), "the host's agent cannot be reached");
        return;
    }
    if (!job.again)
        job.again = loop_.timer([this, &job] { connect(job); });
    job.again.start(starting_pause);
}

Result<UniqueFd> Host::open(Job& job) {
    job.is_local = mode_ == BackendMode::local_keys ||
                   (mode_ == BackendMode::automatic && !agents_.has_live());
    if (!job.is_local)
        return agents_.live();
    Result<AgentConnection> connection = agents_.local->connect();
    if (!connection)
        return connection.error();
    return std::move(connection->fd);
}

void Host::on_connected(Job& job, UniqueFd fd) {
    job.former = std::move(job.conversation);
    job.conversation = std::make_unique<AgentConversation>(loop_, std::move(fd));
    if (job.is_approved)
        job.conversation->ask(
            sign_request_frame(job.request.key, job.request.data, job.request.flags),
            agents_.sign_limit() + margin,
            [this, &job](const AgentAnswer& answer) { on_signature(job, answer); });
    else
        job.conversation->ask(request_identities_frame(), agents_.list_limit() + margin,
                              [this, &job](const AgentAnswer& answer) { on_list(job, answer); });
}

void Host::on_list(Job& job, const AgentAnswer& answer) {
    if (job.is_over)
        return;
    std::optional<std::vector<Identity>> identities;
    if (answer.kind == AgentAnswer::Kind::answered)
        identities = parse_identities(*answer.message);
    if (!identities) {
        fail(job, error_code(job.request.operation), why_no_answer(answer));
        return;
    }
    std::erase_if(*identities, [&](const Identity& identity) {
        return !may_use(job, fingerprint(identity.blob));
    });
    on_keys(job, *identities);
}

bool Host::may_use(const Job& job, const std::string& key) const {
    const std::vector<std::string>& named = job.guest.keys;
    return (named.empty() && !job.needs_keys) ||
           std::find(named.begin(), named.end(), key) != named.end();
}

void Host::on_keys(Job& job, const std::vector<Identity>& identities) {
    if (job.request.operation == Operation::list) {
        succeed(job, list_payload(identities));
    } else if (job.request.operation == Operation::status) {
        succeed(job, status_payload(job.is_local, identities.size()));
    } else if (!may_use(job, job.fingerprint)) {
        // The guest is not told whether there is such a key.
        static_cast<void>(note(job, "denied", "the key is not among those that the guest may use"));
        finish(job, error_payload(key_not_found, no_such_key));
    } else if (std::none_of(identities.begin(), identities.end(), [&](const Identity& identity) {
                   return identity.blob == job.request.key;
               })) {
        fail(job, key_not_found, no_such_key);
    } else {
        approve(job);
    }
}

void Host::approve(Job& job) {
    job.question =
        approver_.ask(job.guest, job.fingerprint, [this, &job](const Decision& decision) {
            job.decision = decision;
            job.is_approved = decision.is_approved;
            job.begun = Clock::now();
            if (decision.is_approved)
                connect(job);
            else
                deny(job, sign_failed, decision.reason);
        });
}

void Host::on_signature(Job& job, const AgentAnswer& answer) {
    if (job.is_over)
        return;
    std::optional<Signature> signature;
    if (answer.kind == AgentAnswer::Kind::answered)
        if (const auto whole = parse_signature(*answer.message))
            signature = split(*whole);
    if (!signature) {
        fail(job, sign_failed, why_no_answer(answer));
        return;
    }
    succeed(job, sign_payload(*signature));
}

/// Who cannot be held to account gets nothing.
void Host::succeed(Job& job, const std::string& payload) {
    const Result<void> noted = note(job, "ok", {});
    finish(job, noted ? payload : error_payload(error_code(job.request.operation), no_audit));
}

void Host::finish(Job& job, const std::string& payload) {
    if (std::exchange(job.is_over, true))
        return;
    job.again.pause();
    sweep_.trigger();
    job.reply(payload);
}

void Host::deny(Job& job, std::string_view code, const std::string& reason) {
    static_cast<void>(note(job, "denied", reason));
    finish(job, error_payload(code, reason));
}

/// What comes in floods must not push everything else out of the audit.
void Host::turn_away(Job& job, std::string_view code, const std::string& reason) {
    if (floods_.take(Clock::now()))
        static_cast<void>(note(job, "denied", reason));
    finish(job, error_payload(code, reason));
}

void Host::fail(Job& job, std::string_view code, const std::string& reason) {
    static_cast<void>(note(job, "error", reason));
    finish(job, error_payload(code, reason));
}

/// Whatever is not ok is told in the log too, as far as there is room.
Result<void> Host::note(const Job& job, std::string_view result, const std::string& reason) {
    Result<void> written = audit_.write({.guest = job.guest.name,
                                         .operation = name_of(job.request.operation),
                                         .result = result,
                                         .key = job.fingerprint,
                                         .approval = job.decision.approval,
                                         .reason = reason},
                                        std::chrono::system_clock::now());
    const TimePoint now = Clock::now();
    if (const int untold = lines_.left_out(now); untold > 0)
        log::warning("{} more requests of guests were refused, or failed, meanwhile", untold);
    if (result != "ok" && lines_.take(now))
        log::warning("a {} request of the guest '{}' ends with an error: {}",
                     name_of(job.request.operation), escaped(job.guest.name), reason);
    if (!written && lines_.take(now))
        log::warning("{}", written.error().message);
    return written;
}

void Host::cancel(Id id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second->is_over)
        return;
    Job& job = *found->second;
    approver_.cancel(job.question);
    static_cast<void>(note(job, "error", "the guest has not waited for the answer"));
    job.is_over = true;
    job.again.pause();
    sweep_.trigger();
}

void Host::sweep() {
    std::erase_if(jobs_, [](const auto& job) { return job.second->is_over; });
}

} // namespace livesock

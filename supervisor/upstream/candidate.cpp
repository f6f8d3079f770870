#include "supervisor/upstream/candidate.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <sys/stat.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A socket this young may have been bound and not yet listen: refusals are not believed.
constexpr auto youth = 2s;
constexpr auto first_redial = 1ms;
constexpr auto last_redial = 1s;

/// sshd makes the socket before it starts the login's first process: that is looked for again.
constexpr auto login_begins = 1s;

/// An agent may close a connection that was idle for long; one that does so sooner than this, so
/// many times in a row, hangs up after every answer and is only asked every interval.
constexpr auto short_life = 1s;
constexpr int most_short_lives = 3;

bool is_young(const SocketFile& file) {
    const auto age = std::chrono::system_clock::now() - file.born;
    return age >= 0s && age < youth;
}

/// ssh-agent's sockets look like sshd's. A process that /proc does not show to us (hidepid) and
/// that still lives is taken for sshd: ssh-agent's socket is that of its parent, which has ended.
bool is_sshd(pid_t pid) {
    const std::string program = program_of(pid);
    if (!program.empty())
        return program.starts_with("sshd");
    return ::kill(pid, 0) == 0 || errno == EPERM;
}

std::uint64_t next_id() {
    static std::uint64_t last = 0;
    return ++last;
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

} // namespace

std::string_view name_of(Origin origin) {
    switch (origin) {
    case Origin::forwarded:
        return "forwarded";
    case Origin::configured:
        return "configured";
    case Origin::registered:
        return "registered";
    case Origin::fallback:
        return "fallback";
    }
    return {};
}

Candidate::Candidate(EventLoop& loop, const ProbeSettings& settings, std::size_t most_upstreams,
                     SocketFile file, Origin origin, std::function<void()> on_news)
    : loop_(loop)
    , settings_(settings)
    , file_(std::move(file))
    , socket_(file_.path)
    , origin_(origin)
    , on_news_(std::move(on_news))
    , liveness_(settings)
    , spare_(loop)
    , prepare_spare_(loop.on_demand([this] { prepare_spare(); }))
    , most_upstreams_(most_upstreams)
    , id_(next_id())
    , timer_(loop.timer([this] { on_timer(); })) {}

Candidate::Candidate(EventLoop& loop, const ProbeSettings& settings, std::size_t most_upstreams,
                     const std::string& name, Fallback fallback, std::function<void()> on_news)
    : Candidate(loop, settings, most_upstreams,
                SocketFile{name, name, std::chrono::system_clock::now()}, Origin::fallback,
                std::move(on_news)) {
    fallback_ = std::move(fallback);
    is_resting_ = fallback_.is_on_demand;
}

void Candidate::start() {
    if (is_resting_)
        return;
    is_gone_ = false;
    identities_wanted_ = true;
    redial_delay_ = first_redial;
    dial();
}

void Candidate::apply(const ProbeSettings& settings) {
    settings_ = settings;
    liveness_.apply(settings);
    schedule();
}

void Candidate::rest() {
    is_resting_ = true;
    awaits_redial_ = false;
    timer_.pause();
    if (state() == AgentState::dead)
        return;
    if (sentinel_)
        sentinel_->close();
    question_ = Question::none;
    identities_.clear();
    liveness_.forget();
    on_news_();
}

void Candidate::wake() {
    if (std::exchange(is_resting_, false))
        start();
}

Result<AgentConnection> Candidate::reach() {
    return fallback_.route ? fallback_.route->connect() : dial_agent(socket_);
}

void Candidate::dial() {
    awaits_redial_ = false;
    Result<AgentConnection> connection = reach();
    if (connection)
        begin(std::move(*connection));
    else
        dial_failed(connection.error());
}

void Candidate::begin(AgentConnection connection) {
    if (pid_ != connection.pid)
        watch_listener(connection.pid);
    begun_ = Clock::now();
    redial_delay_ = first_redial;
    answered_here_ = false;
    sentinel_ = std::make_unique<MessageStream>(
        loop_, std::move(connection.fd),
        MessageStream::Callbacks{.message = [this](const Message& answer) { on_answer(answer); },
                                 .end = [this](MessageStream::End end) { on_end(end); },
                                 .drained = [] {}});
    if (login_watch_)
        login_watch_->follow();
    send(next_question());
    sentinel_->start();
}

void Candidate::watch_listener(pid_t pid) {
    pid_ = pid;
    listener_ended_ = {};
    listener_.reset();
    login_watch_.reset();
    if (!is_sshd(pid))
        return;
    login_watch_ = std::make_unique<LoginWatch>(loop_, pid, [this] { on_login_over(); });
    // Without a pidfd the next question finds out. Should the pid be another process's by now, its
    // end is a false alarm: we ask, and the agent answers.
    listener_ = open_process(pid);
    if (!listener_)
        return;
    listener_ended_ = loop_.on_readable(listener_.get(), [this] { on_listener_end(); });
    listener_ended_.resume();
}

void Candidate::on_listener_end() {
    listener_ended_.pause();
    // The end of the sentinel, where there is one, says the same. Not here: dialling replaces us.
    if (!is_connected() && state() != AgentState::dead)
        redial_after(0s);
}

/// A question that is not answered yet is given up with its connection, and not asked again at
/// once: either the agent ends now, or ssh is kept for further logins.
void Candidate::on_login_over() {
    sentinel_->close();
    spare_.drop();
    question_ = Question::none;
    liveness_.withdrawn();
    login_is_over_ = true;
    schedule();
    on_news_();
}

void Candidate::dial_failed(const Error& error) {
    const AgentState before = state();
    const bool is_full = error.code == EAGAIN;
    if (is_full || is_shortage(error.code)) {
        // A backlog that nobody empties is silence, like an open question.
        if (is_full)
            liveness_.asked(Clock::now());
        liveness_.pass(Clock::now());
        back_off();
    } else {
        const bool has_listened = liveness_.last_answer().has_value();
        const bool may_listen_soon = error.code == ECONNREFUSED && !has_listened && is_young(file_);
        // Only somebody's word makes a path worth watching on which nobody listens.
        is_gone_ = !may_listen_soon && origin_ != Origin::fallback &&
                   (origin_ != Origin::registered || !exists(socket_));
        die(error.message);
        if (may_listen_soon)
            back_off();
    }
    tell_change_from(before);
}

void Candidate::back_off() {
    redial_after(redial_delay_);
    redial_delay_ = std::min<Duration>(redial_delay_ * 2, last_redial);
}

void Candidate::redial_after(Duration delay) {
    awaits_redial_ = true;
    timer_.start(delay);
}

Candidate::Question Candidate::next_question() const {
    // An agent without keys may be given one at any time, which makes it worth more.
    return identities_wanted_ || !knows_query_ || identities_.empty() ? Question::identities
                                                                      : Question::query;
}

void Candidate::send(Question question) {
    question_ = question;
    if (question == Question::identities)
        identities_wanted_ = false;
    liveness_.asked(Clock::now());
    sentinel_->send(question == Question::query ? query_frame() : request_identities_frame());
    schedule();
}

void Candidate::ask() {
    if (question_ != Question::none || awaits_redial_ || is_resting_ || state() == AgentState::dead)
        return;
    if (is_connected())
        send(next_question());
    else
        dial();
}

void Candidate::refresh() {
    identities_wanted_ = true;
    ask();
}

void Candidate::on_answer(const Message& answer) {
    const Question question = std::exchange(question_, Question::none);
    if (question == Question::none) {
        die("it sent an answer that nobody asked for");
        on_news_();
        return;
    }
    answered_here_ = true;
    reason_.clear();
    liveness_.answered(Clock::now());
    if (question == Question::identities)
        take_identities(answer);
    if (identities_wanted_)
        ask();
    else if (login_watch_ && !login_watch_->follow())
        sentinel_->close();
    if (wants_spare())
        prepare_spare_.trigger();
    schedule();
    on_news_();
}

void Candidate::take_identities(const Message& answer) {
    identities_.clear();
    // A failure is a complete answer too: some agents say so while they are locked.
    if (answer.type() == MessageType::failure)
        return;
    listed_ = answer.contents();
    if (std::optional<std::vector<Identity>> parsed = parse_identities(answer))
        identities_ = std::move(*parsed);
    else
        die("its list of identities is malformed");
}

void Candidate::on_end(MessageStream::End end) {
    const AgentState before = state();
    sentinel_->close();
    if (end == MessageStream::End::malformed)
        die("it does not speak the agent protocol");
    else if (!answered_here_ && question_ != Question::query)
        die("it closes connections without an answer");
    else
        redial();
    tell_change_from(before);
}

/// Asks again at once when the sentinel has ended: where the agent has, that is refused.
void Candidate::redial() {
    if (std::exchange(question_, Question::none) == Question::query)
        knows_query_ = false;
    short_lives_ = Clock::now() - begun_ < short_life ? short_lives_ + 1 : 0;
    if (short_lives_ > most_short_lives) {
        redial_after(settings_.interval);
        return;
    }
    liveness_.asked(Clock::now());
    redial_after(0s);
}

void Candidate::on_timer() {
    const AgentState before = state();
    liveness_.pass(Clock::now());
    if (question_ != Question::none)
        schedule();
    else if (is_connected())
        send(next_question());
    else
        dial();
    tell_change_from(before);
}

/// Sets the timer to whatever comes next: silence taking effect, or the next question.
void Candidate::schedule() {
    if (awaits_redial_ || is_resting_ || state() == AgentState::dead)
        return;
    if (question_ == Question::none)
        timer_.start(until_next_question());
    else if (const std::optional<TimePoint> deadline = liveness_.deadline())
        timer_.start(*deadline - Clock::now());
    else
        timer_.pause();
}

Duration Candidate::until_next_question() const {
    if (holds_up_logout() && is_young(file_))
        return std::min<Duration>(login_begins, settings_.interval);
    return settings_.interval;
}

void Candidate::die(std::string reason) {
    reason_ = std::move(reason);
    liveness_.died();
    identities_.clear();
    question_ = Question::none;
    identities_wanted_ = true;
    if (sentinel_)
        sentinel_->close();
    spare_.drop();
    if (is_gone_)
        timer_.pause();
    else
        redial_after(settings_.interval);
}

void Candidate::tell_change_from(AgentState before) {
    if (state() == before)
        return;
    // A channel through which nobody answers is nobody's head start.
    if (state() != AgentState::live)
        spare_.drop();
    on_news_();
}

Result<Candidate::Upstream> Candidate::connect() {
    if (!has_room())
        return Error{fmt::format("all {} connections to it are in use (proxy.max_upstreams)",
                                 most_upstreams_ - 1),
                     EBUSY};
    if (spare_) {
        ++upstreams_;
        return Upstream{spare_.take(), true};
    }
    Result<AgentConnection> connection = reach();
    if (connection) {
        if (login_watch_)
            login_watch_->follow();
        ++upstreams_;
        return Upstream{std::move(connection->fd), false};
    }
    // The sentinel would hear of it too; who asks first acts first.
    const int code = connection.error().code;
    if (code != EAGAIN && !is_shortage(code) && state() != AgentState::dead)
        dial_failed(connection.error());
    return connection.error();
}

void Candidate::disconnected() {
    --upstreams_;
    // The last one may have used up the room for it.
    if (wants_spare())
        prepare_spare_.trigger();
}

void Candidate::request_ended() {
    --requests_;
    if (wants_spare())
        prepare_spare_.trigger();
}

void Candidate::limit_upstreams(std::size_t most) {
    most_upstreams_ = most;
    if (upstreams_ + 1 >= most)
        spare_.drop();
}

/// Only where opening a connection takes the network's time, and where its end is noticed. And not
/// while the agent may be busy: ssh binds a new channel to its session first (since OpenSSH 8.9),
/// and does nothing else, the user's terminal included, before the agent has answered that. While
/// it waits for a touch it does not.
bool Candidate::wants_spare() const {
    return login_watch_ != nullptr && login_watch_->is_following() && state() == AgentState::live &&
           requests_ == 0 && !liveness_.is_asked() && !spare_ && has_room();
}

void Candidate::prepare_spare() {
    if (!wants_spare())
        return;
    // Whatever is wrong with the agent, who needs it will find out.
    if (Result<AgentConnection> connection = reach())
        spare_.keep(std::move(connection->fd));
}

void Candidate::sign_ended() {
    liveness_.sign_ended(Clock::now());
    if (liveness_.is_asked())
        schedule();
}

bool Candidate::offers(std::string_view blob) const {
    return std::any_of(identities_.begin(), identities_.end(),
                       [&](const Identity& identity) { return identity.blob == blob; });
}

const std::optional<Login>& Candidate::login() const {
    if (!login_ && origin_ == Origin::forwarded && pid_ != 0)
        login_ = login_of(pid_);
    return login_;
}

std::string Candidate::label() const {
    if (!fallback_.label.empty())
        return fallback_.label;
    if (const std::optional<Login>& from = login())
        return from->tty.empty() ? from->client_address
                                 : fmt::format("{} on {}", from->client_address, from->tty);
    const std::string program = pid_ == 0 ? std::string() : program_of(pid_);
    if (program.empty())
        return escaped(file_.path);
    return fmt::format("{} (pid {})", program, pid_);
}

} // namespace livesock

#include "supervisor/upstream/candidate.hpp"

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
    case Origin::upstream:
        return "upstream";
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
    , room_(loop, most_upstreams)
    , prepare_spare_(loop.on_demand([this] { prepare_spare(); }))
    , id_(next_id())
    , timer_(loop.timer([this] { on_timer(); }))
    , naming_(file_.path, {}, origin == Origin::forwarded) {}

Candidate::Candidate(EventLoop& loop, const ProbeSettings& settings, std::size_t most_upstreams,
                     const std::string& name, RoutedAgent routed, std::function<void()> on_news)
    : Candidate(loop, settings, most_upstreams,
                SocketFile{name, name, std::chrono::system_clock::now()}, routed.origin,
                std::move(on_news)) {
    routed_ = std::move(routed);
    naming_ = Naming(name, routed_.label, false);
    is_resting_ = routed_.is_on_demand;
    knows_query_ = !routed_.is_far_side_apart;
    limit_upstreams(most_upstreams);
}

void Candidate::start() {
    if (is_resting_)
        return;
    is_gone_ = false;
    identities_wanted_ = true;
    redial_delay_ = first_redial;
    dial();
}

void Candidate::renew(SocketFile file) {
    if (file_.is_same(file) || state() == AgentState::live)
        return;
    file_ = std::move(file);
    if (sentinel_)
        sentinel_->close();
    room_.drop_spare();
    question_ = Question::none;
    identities_.clear();
    liveness_.forget();
    reason_.clear();
    start();
    on_news_();
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
    return routed_.route ? routed_.route->connect() : dial_agent(socket_);
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
    if (pid() != connection.pid)
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
    naming_.found(pid);
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
    room_.drop_spare();
    identities_wanted_ |= question_ == Question::identities;
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
        is_gone_ = !may_listen_soon && !routed_.route &&
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

std::string Candidate::frame_of(Question question) const {
    switch (question) {
    case Question::none:
        break;
    case Question::identities:
        return request_identities_frame();
    case Question::query:
        return query_frame();
    case Question::origin:
        return origin_check_->question(id_);
    }
    return {};
}

void Candidate::send(Question question) {
    question_ = question;
    if (question == Question::identities)
        identities_wanted_ = false;
    if (origin_check_ != nullptr && question != Question::origin)
        requests_before_ = origin_check_->requests();
    liveness_.asked(Clock::now());
    sentinel_->send(frame_of(question));
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
    if (question == Question::identities && !take_identities(answer)) {
        die("its list of identities is malformed");
        on_news_();
        return;
    }
    if (question != Question::origin && may_lead_back()) {
        send(Question::origin);
        return;
    }
    is_origin_known_ = true;
    if (origin_ == Origin::upstream && has_died_)
        file_.born = std::chrono::system_clock::now();
    has_died_ = false;
    next_pause_ = first_pause;
    liveness_.answered(Clock::now());
    if (identities_wanted_)
        ask();
    else if (login_watch_ && !login_watch_->follow())
        sentinel_->close();
    if (wants_spare())
        prepare_spare_.trigger();
    schedule();
    on_news_();
}

/// A client's request came while it was asked: that may have been our own question.
bool Candidate::may_lead_back() const {
    return origin_check_ != nullptr && !is_origin_known_ &&
           origin_check_->requests() != requests_before_;
}

void Candidate::found_leading_back() {
    if (question_ != Question::origin)
        return;
    die("it leads back to livesock: what forwards it, an ssh -A or another supervisor, has our own "
        "socket as its agent");
    on_news_();
}

/// Whether the answer is one.
bool Candidate::take_identities(const Message& answer) {
    identities_.clear();
    listed_.clear();
    // A failure is a complete answer too: some agents say so while they are locked.
    if (answer.type() == MessageType::failure)
        return true;
    listed_ = answer.contents();
    std::optional<std::vector<Identity>> parsed = parse_identities(answer);
    if (parsed)
        identities_ = std::move(*parsed);
    return parsed.has_value();
}

void Candidate::on_end(MessageStream::End end) {
    const AgentState before = state();
    sentinel_->close();
    if (end == MessageStream::End::malformed)
        die("it does not speak the agent protocol");
    else if (!answered_here_ && (question_ != Question::query || !trouble().empty()))
        die(why_unanswered());
    else
        redial();
    tell_change_from(before);
}

/// Asks again at once when the sentinel has ended: where the agent has, that is refused, unless its
/// socket is somebody else's who has started another one, with other keys.
void Candidate::redial() {
    identities_wanted_ = true;
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
    has_died_ = true;
    identities_.clear();
    question_ = Question::none;
    identities_wanted_ = true;
    if (sentinel_)
        sentinel_->close();
    room_.drop_spare();
    if (is_gone_)
        timer_.pause();
    else
        redial_after(pause_after_death());
}

/// Nobody tells us when an upstream is back, as the file system does of a socket.
Duration Candidate::pause_after_death() {
    if (origin_ != Origin::upstream)
        return settings_.interval;
    const Duration pause = next_pause_;
    next_pause_ = std::min<Duration>(next_pause_ * 2, last_pause);
    return pause;
}

std::string Candidate::why_unanswered() const {
    const std::string known = trouble();
    return known.empty() ? "it closes connections without an answer" : known;
}

void Candidate::tell_change_from(AgentState before) {
    if (state() == before)
        return;
    // A channel through which nobody answers is nobody's head start.
    if (state() != AgentState::live)
        room_.drop_spare();
    on_news_();
}

Candidate::News Candidate::take_news() {
    // An agent that is asked again and again while it is dead is new in between.
    const bool is_told = state() == AgentState::dead && told_reason_ == reason_;
    if (state() == AgentState::dead || state() == AgentState::live)
        told_reason_ = reason_;
    return {std::exchange(told_state_, state()), std::exchange(login_is_over_, false), is_told};
}

Result<Candidate::Upstream> Candidate::connect() {
    if (!has_room())
        return Error{fmt::format("all {} connections to it are in use (proxy.max_upstreams)",
                                 room_.most_upstreams()),
                     EBUSY};
    if (UniqueFd spare = room_.take_spare())
        return Upstream{std::move(spare), true};
    Result<AgentConnection> connection = reach();
    if (connection) {
        if (login_watch_)
            login_watch_->follow();
        room_.opened();
        return Upstream{std::move(connection->fd), false};
    }
    // The sentinel would hear of it too; who asks first acts first.
    const int code = connection.error().code;
    if (code != EAGAIN && !is_shortage(code) && state() != AgentState::dead)
        dial_failed(connection.error());
    return connection.error();
}

void Candidate::disconnected() {
    room_.closed();
    // The last one may have used up the room for it.
    if (wants_spare())
        prepare_spare_.trigger();
}

void Candidate::request_ended() {
    room_.request_ended();
    if (wants_spare())
        prepare_spare_.trigger();
}

void Candidate::limit_upstreams(std::size_t most) {
    room_.limit(routed_.route ? std::min(most, routed_.route->most_connections()) : most);
}

/// Only where opening a connection takes the network's time, and where its end is noticed. And not
/// while the agent may be busy: ssh binds a new channel to its session first (since OpenSSH 8.9),
/// and does nothing else, the user's terminal included, before the agent has answered that. While
/// it waits for a touch it does not.
bool Candidate::wants_spare() const {
    const bool end_is_noticed = login_watch_ != nullptr && login_watch_->is_following();
    return (end_is_noticed || routed_.keeps_spare) && state() == AgentState::live &&
           !liveness_.is_asked() && room_.wants_spare();
}

void Candidate::prepare_spare() {
    if (!wants_spare())
        return;
    // Whatever is wrong with the agent, who needs it will find out.
    if (Result<AgentConnection> connection = reach())
        room_.keep(std::move(connection->fd));
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

} // namespace livesock

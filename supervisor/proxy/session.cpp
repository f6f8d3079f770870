// The client's side of a Session.
#include "supervisor/proxy/session.hpp"

#include <utility>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A client that keeps us keeps a connection that holds up a logout no longer than this.
constexpr auto longest_idle_channel = 1s;

/// How long a request waits to know from where its client was typed in.
constexpr auto longest_locating = 50ms;

/// A buffer that held a request longer than this is given back.
constexpr std::size_t kept_capacity = 4096;

} // namespace

Session::Session(SessionHost& host, UniqueFd client, pid_t pid)
    : host_(host)
    , client_(host.loop(), std::move(client),
              {.message = [this](const Message& request) { on_request(request); },
               .end = [this](MessageStream::End end) { on_client_end(end); },
               .drained = [this] { on_client_drained(); }})
    , client_pid_(pid)
    , search_(host.agents())
    , upstream_(host.loop(), host.agents(),
                {.message = [this](const Message& message) { on_upstream_message(message); },
                 .end = [this] { on_upstream_end(); }}) {}

Session::~Session() {
    leave_queue();
    drop_upstream();
}

void Session::start() {
    client_.read_ahead();
    client_.start();
}

void Session::resume(std::vector<SessionBinding> bindings) {
    bindings_ = SessionBindings(std::move(bindings));
    start();
}

bool Session::give_to(const ClientTaker& take) {
    if (state_ != State::idle || !client_.is_quiet())
        return false;
    // One for which nothing is done any more is not worth the way.
    if (!is_unbindable_ && !take(client_.fd(), bindings_.all()))
        return false;
    close();
    return true;
}

ClientUse Session::use() const {
    const bool has_request =
        state_ == State::locating || state_ == State::seeking || is_with_upstream();
    return {.pid = client_pid_,
            .agent = upstream_.agent_id(),
            .request = has_request ? std::optional(kind_) : std::nullopt,
            .since = has_request ? search_.began_at() : idle_since_};
}

void Session::on_request(const Message& request) {
    client_.hold();
    upstream_.forget_closed();
    request_ = request.frame();
    kind_ = kind_of(request);
    search_.begin(kind_,
                  kind_ == RequestKind::sign ? signing_key(Message(request_)) : std::string_view(),
                  host_.settings().merge);
    wait_told_ = false;
    if (!timer_)
        timer_ = host_.loop().timer([this] { on_timer(); });
    // ssh goes on after a session-bind that failed. On a connection without it an agent would take
    // the client for a local one, for which constraints do not hold.
    is_unbindable_ |= kind_ == RequestKind::session_bind && !bindings_.has_room_for(request_);
    const bool is_refused =
        host_.agents().comes_back(request) || host_.refuse(request, client_pid_);
    if (is_refused || is_unbindable_) {
        if (!is_refused)
            search_.set_cause(
                "its session-bind was one too many, or too long, to be repeated at another agent");
        state_ = State::refused;
        timer_.start(Duration::zero());
        return;
    }
    if (host_.settings().follows_typing) {
        const std::optional<std::uint64_t> preferred = host_.locate(*this, false);
        search_.prefer(preferred.value_or(0));
        if (!preferred) {
            state_ = State::locating;
            timer_.start(longest_locating);
            return;
        }
    }
    go_to_agent();
}

/// What is known by then is used: whoever is asked about the client may not answer at all.
void Session::on_located() {
    if (state_ != State::locating)
        return;
    if (const std::optional<std::uint64_t> preferred = host_.locate(*this, false)) {
        search_.prefer(*preferred);
        go_to_agent();
    }
}

const ClientPlace& Session::place() {
    if (!place_)
        place_ = std::make_unique<ClientPlace>(place_of_client(client_pid_));
    return *place_;
}

void Session::go_to_agent() {
    if (!upstream_.is_open() || !search_.is_right(upstream_.agent())) {
        begin_to_seek(host_.settings().grace);
        return;
    }
    upstream_.set_kept();
    use_upstream();
}

void Session::on_client_end(MessageStream::End end) {
    if (end == MessageStream::End::half_closed &&
        (state_ != State::idle || !client_.is_drained())) {
        client_half_closed_ = true;
        return;
    }
    if (end == MessageStream::End::malformed)
        host_.client_refused("it sent what is not the agent protocol");
    close();
}

void Session::on_client_drained() {
    if (state_ == State::idle)
        await_request();
}

void Session::answer(std::string_view frame) {
    client_.send(frame);
    state_ = State::idle;
    limit_idleness();
    request_.clear();
    if (request_.capacity() > kept_capacity)
        request_.shrink_to_fit();
    if (client_.is_drained())
        await_request();
}

/// Gives the connection to the agent back, or sees to it that it will be if it is not used. One
/// that is bound is kept, unless somebody waits: another would have to be bound first.
void Session::limit_idleness() {
    timer_.pause();
    idle_since_ = Clock::now();
    const Candidate* const agent = upstream_.agent();
    if (agent == nullptr)
        return;
    if (host_.is_awaited(agent->id()))
        drop_upstream();
    else if (agent->holds_up_logout())
        timer_.start(longest_idle_channel);
    else if (!is_bound())
        timer_.start(host_.settings().upstream_idle);
}

/// Nothing is owed to the client: the next request may come, if one can.
void Session::await_request() {
    if (client_half_closed_)
        close();
    else
        client_.release();
}

void Session::fail(const std::string& cause) {
    leave_queue();
    host_.request_failed({.kind = kind_,
                          .at = std::chrono::system_clock::now(),
                          .client = facts_of_client(client_pid_),
                          .cause = cause,
                          .waited = Clock::now() - search_.began_at(),
                          .attempts = search_.take_log()});
    note_binding(false);
    // A conversation that went wrong is not gone on with.
    drop_upstream();
    answer(failure_frame());
}

void Session::close_if_stalled_since(TimePoint limit) {
    const std::optional<TimePoint> stalled = client_.stalled_since();
    if (is_closed() || !stalled || *stalled > limit)
        return;
    host_.client_refused("it sent half a message, or did not read its answer, for too long");
    close();
}

void Session::on_shutdown() {
    if (state_ == State::refused || state_ == State::locating || state_ == State::seeking ||
        is_with_upstream())
        client_.send(failure_frame());
    if (!is_closed())
        close();
}

void Session::close() {
    state_ = State::closed;
    leave_queue();
    drop_upstream();
    timer_.pause();
    client_.close();
    host_.session_closed(*this);
}

} // namespace livesock

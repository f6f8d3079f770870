#include "tests/bench/load.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <array>
#include <cerrno>

#include <sys/epoll.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

constexpr std::uint8_t answer_identities = 12;

class Load {
  public:
    Load(const sockaddr_un& address, int clients, Visit visit)
        : address_(address)
        , visit_(visit)
        , epoll_(epoll_create1(EPOLL_CLOEXEC))
        , clients_(static_cast<std::size_t>(clients)) {}

    LoadResult run(double duration_ns);

  private:
    struct Client {
        UniqueFd fd;
        std::size_t have = 0; ///< bytes of the answer so far
        std::size_t want = 0; ///< 0: its length is not known yet
    };

    void begin(std::size_t index);
    void ask(std::size_t index);
    void on_readable(std::size_t index);
    void finish(std::size_t index, bool good);
    void begin_postponed();

    const sockaddr_un& address_;
    Visit visit_;
    UniqueFd epoll_;
    std::vector<Client> clients_;
    std::vector<std::size_t> postponed_; ///< found the backlog full
    long answers_ = 0;
    long errors_ = 0;
};

LoadResult Load::run(double duration_ns) {
    for (std::size_t i = 0; i < clients_.size(); ++i)
        begin(i);
    const double start = now_ns();
    double now = start;
    while (now - start < duration_ns) {
        check_interrupted();
        std::array<epoll_event, 64> events;
        const int count = epoll_wait(epoll_.get(), events.data(), events.size(), 5);
        for (int i = 0; i < count; ++i)
            on_readable(events[static_cast<std::size_t>(i)].data.u64);
        if (count <= 0)
            begin_postponed();
        now = now_ns();
    }
    return {.requests_per_second = static_cast<double>(answers_) * 1e9 / (now - start),
            .errors = errors_};
}

void Load::begin(std::size_t index) {
    Client& client = clients_[index];
    client.fd.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
    if (connect(client.fd.get(), address, sizeof address_) != 0) {
        if (errno != EAGAIN)
            ++errors_;
        postponed_.push_back(index);
        return;
    }
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.fd.get(), &event);
    ask(index);
}

void Load::ask(std::size_t index) {
    Client& client = clients_[index];
    client.have = client.want = 0;
    const auto size = static_cast<ssize_t>(list_request.size());
    if (send(client.fd.get(), list_request.data(), list_request.size(), MSG_NOSIGNAL) != size)
        finish(index, false);
}

void Load::on_readable(std::size_t index) {
    Client& client = clients_[index];
    std::array<std::uint8_t, 16384> bytes;
    const ssize_t size = recv(client.fd.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        return finish(index, false);
    if (client.want == 0) {
        if (size < 5 || bytes[4] != answer_identities)
            return finish(index, false);
        client.want = 4 + (std::size_t{bytes[2]} << 8) + bytes[3]; // the bench's lists are short
    }
    client.have += static_cast<std::size_t>(size);
    if (client.have >= client.want)
        finish(index, true);
}

void Load::finish(std::size_t index, bool good) {
    ++(good ? answers_ : errors_);
    if (good && visit_ == Visit::stay_connected) {
        ask(index);
    } else {
        clients_[index].fd.reset();
        begin(index);
    }
    begin_postponed();
}

void Load::begin_postponed() {
    if (postponed_.empty())
        return;
    const std::size_t index = postponed_.back();
    postponed_.pop_back();
    begin(index);
}

} // namespace

LoadResult run_load(const sockaddr_un& address, int clients, Visit visit,
                    std::chrono::milliseconds duration) {
    const auto nanoseconds = std::chrono::duration<double, std::nano>(duration).count();
    return Load(address, clients, visit).run(nanoseconds);
}

} // namespace livesock::bench

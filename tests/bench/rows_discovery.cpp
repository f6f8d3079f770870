// What livesockd does with /tmp: it finds logins there, and must not mind what else happens there.
#include "tests/bench/churn.hpp"
#include "tests/bench/failure.hpp"
#include "tests/bench/fake_sshd.hpp"
#include "tests/bench/process_usage.hpp"
#include "tests/bench/rows.hpp"

#include <deque>
#include <random>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

constexpr double login_patience_ns = 5e9;

/// Wakes when something in a directory is renamed or made, so that waiting for a link needs no
/// polling, which would take one of few processors away from what is measured.
class DirectoryWatch {
  public:
    explicit DirectoryWatch(const std::string& path)
        : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
        if (inotify_add_watch(fd_.get(), path.c_str(), IN_MOVED_TO | IN_CREATE) < 0)
            fail_with_errno("watching '" + path + "'");
    }

    void wait() const {
        pollfd poll_fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        if (poll(&poll_fd, 1, 1000) < 0)
            fail_with_errno("waiting for a change of the live agent");
        std::array<char, 4096> events;
        while (read(fd_.get(), events.data(), events.size()) > 0) {
        }
    }

  private:
    UniqueFd fd_;
};

/// Logs in and returns how long it took until `live` led to the new login, in nanoseconds.
double time_login(const Subject& subject, const DirectoryWatch& watch, FakeSshd& sshd,
                  std::deque<std::string>& open) {
    open.push_back(sshd.log_in());
    const double begin = now_ns();
    while (subject.live() != open.back()) {
        if (now_ns() - begin > login_patience_ns)
            throw Failure("after 5 s a new login is not live");
        watch.wait();
    }
    return now_ns() - begin;
}

/// `count` logins one after the other, with pauses in between; the older ones log out.
std::vector<double> time_logins(const Subject& subject, FakeSshd& sshd, int count) {
    constexpr std::size_t at_once = 3;
    const DirectoryWatch watch(subject.directory());
    std::mt19937 random(1);
    std::uniform_int_distribution<unsigned> pause_us(1000, 20000);
    std::deque<std::string> open;
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
        check_interrupted();
        times.push_back(time_login(subject, watch, sshd, open));
        if (open.size() > at_once) {
            sshd.log_out(open.front());
            open.pop_front();
        }
        usleep(pause_us(random)); // not in step with any batching
    }
    while (!open.empty()) {
        sshd.log_out(open.front());
        open.pop_front();
    }
    return times;
}

/// All at once, as after a network outage: until `live` leads to the last one.
double time_burst(const Subject& subject, FakeSshd& sshd, int count) {
    const DirectoryWatch watch(subject.directory());
    std::deque<std::string> open;
    for (int i = 1; i < count; ++i)
        open.push_back(sshd.log_in());
    return time_login(subject, watch, sshd, open);
}

} // namespace

void measure_login(Bench& bench) {
    const Subject subject = Subject::livesockd(bench.site, Discovery::on);
    FakeSshd sshd;
    const auto times = time_logins(subject, sshd, bench.rounds(500, 100));
    bench.table.add({.what = "a new login until `live` leads to it, p99",
                     .measured = {percentile(times, 0.99), Unit::nanoseconds},
                     .target = {Bound::value_at_most, 20e6},
                     .note = "p50 " + format_value({median(times), Unit::nanoseconds}) + ", max " +
                             format_value({percentile(times, 1), Unit::nanoseconds})});
    bench.table.add({.what = "100 logins at once until `live` leads to the last",
                     .measured = {time_burst(subject, sshd, 100), Unit::nanoseconds}});
}

void measure_dead_sessions(Bench& bench) {
    constexpr int sessions = 5000, visits_a_block = 50;
    const OneProcessor one_processor(bench.site);
    // The one without discovery stands for one that finds none: both run at the same time.
    const Subject without = Subject::livesockd_with_agent(bench.site, Discovery::off);
    leave_dead_sessions(sessions);
    const double begin = now_ns();
    const Subject with = Subject::livesockd_with_agent(bench.site, Discovery::on);
    const double started = now_ns() - begin;
    const Deadline deadline(std::chrono::seconds(60));
    const auto block = [&](const Subject& subject) {
        const sockaddr_un address = socket_address(subject.agent_socket());
        return [=] { return median(time_visits(address, list_request, visits_a_block)); };
    };
    Comparison comparison = interleave(block(with), block(without), bench.rounds(400, 60));
    Row row = as_row("connect+list+close, proxy, 5,000 dead sessions in /tmp", comparison,
                     Unit::nanoseconds, {Bound::ratio_at_most, 1.05});
    row.note = "direct: livesockd that finds none; agent live " +
               format_value({started, Unit::nanoseconds}) + " after start";
    bench.table.add(row);
    bench.table.add({.what = "PSS with 5,000 dead sessions in /tmp",
                     .measured = {memory_of(with.pid()).pss, Unit::bytes},
                     .direct = Value{memory_of(without.pid()).pss, Unit::bytes},
                     .note = "direct: livesockd that finds none"});
}

void measure_churn(Bench& bench) {
    constexpr int files_a_second = 20000;
    const Subject subject = Subject::livesockd_with_agent(bench.site, Discovery::on);
    FakeSshd sshd;
    Churn churn("/tmp", files_a_second);
    sleep(1);
    const auto cpu_before = cpu_time_of(subject.pid());
    const long sleeps_before = sleeps_of(subject.pid());
    const long files_before = churn.files();
    const double begin = now_ns();
    const double length = bench.rounds(10, 3) * 1e9;
    while (now_ns() - begin < length) {
        check_interrupted();
        usleep(100'000);
    }
    const double elapsed = now_ns() - begin;
    const auto cpu = cpu_time_of(subject.pid()) - cpu_before;
    const double files = static_cast<double>(churn.files() - files_before) * 1e9 / elapsed;
    const double wakes =
        static_cast<double>(sleeps_of(subject.pid()) - sleeps_before) * 1e9 / elapsed;
    bench.table.add({.what = "20,000 files a second come and go in /tmp: processor time",
                     .measured = {static_cast<double>(cpu.count()) / elapsed * 100, Unit::percent},
                     .target = {Bound::value_at_most, 5},
                     .sound = files > 0.95 * files_a_second,
                     .note = format_value({files, Unit::per_second}) + " files, " +
                             format_value({wakes, Unit::per_second}) + " wake-ups"});
    const auto times = time_logins(subject, sshd, bench.rounds(50, 20));
    bench.table.add({.what = "a new login meanwhile until `live` leads to it, p99",
                     .measured = {percentile(times, 0.99), Unit::nanoseconds},
                     .note = "p50 " + format_value({median(times), Unit::nanoseconds})});
}

} // namespace livesock::bench

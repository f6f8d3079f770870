#include "tools/watch_command.hpp"

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "tools/answers.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/screen.hpp"
#include "tools/supervisor_commands.hpp"
#include "tools/watch_text.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// The view is drawn anew at least so often: times go on.
constexpr auto longest_still = 1s;
/// It is asked for news no sooner than so long after the last.
constexpr auto shortest_pause = 100ms;
/// A supervisor that was lost is looked for so often.
constexpr auto search_pause = 500ms;
/// Beyond its patience the supervisor may take so long to answer.
constexpr auto answer_limit = 4s;

constexpr int watched_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

/// The signals above as a descriptor; blocked from now on.
UniqueFd take_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : watched_signals)
        ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

/// As if the signal had never been taken.
[[noreturn]] void die_of(int number) {
    ::signal(number, SIG_DFL);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, number);
    ::raise(number);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::_exit(128 + number);
}

bool terminal_has_blocks() {
    for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"})
        if (const std::string value = environment(name); !value.empty())
            return value.find("UTF-8") != std::string::npos ||
                   value.find("utf8") != std::string::npos;
    return false;
}

WatchContext context_now() {
    WatchContext context{.now = std::time(nullptr)};
    std::tm local{};
    const std::time_t now = context.now;
    if (::localtime_r(&now, &local) != nullptr)
        context.utc_offset = local.tm_gmtoff;
    return context;
}

/// The supervisor's news, one answer after the other; looks for it again when it is lost.
class News {
  public:
    Result<void> connect() {
        Result<ControlClient> found = find_supervisor();
        if (!found)
            return found.error();
        client_.emplace(std::move(*found));
        return {};
    }
    int fd() const { return is_asked_ ? client_->fd() : -1; }
    const std::optional<WatchReport>& report() const { return report_; }
    /// Why there are none; empty if there are.
    const std::string& problem() const { return problem_; }

    /// What is due now.
    void go_on() {
        const TimePoint now = Clock::now();
        if (is_asked_ && now >= due_)
            lose(client_->no_answer().message);
        if (is_asked_ || now < due_)
            return;
        if (!client_) {
            if (const Result<void> found = connect(); !found) {
                lose(found.error().message);
                return;
            }
        }
        const auto patience = std::chrono::milliseconds(longest_still).count();
        ControlRequest request{.command = "watch",
                               .members = {{"timeout_ms", std::int64_t{patience}}}};
        if (report_)
            request.members.emplace_back("seen", report_->changes);
        if (const Result<void> sent = client_->tell(request); !sent) {
            lose(sent.error().message);
            return;
        }
        is_asked_ = true;
        due_ = now + longest_still + answer_limit;
    }
    /// To be called when fd() is readable; whether there are news.
    bool take() {
        const Result<ControlAnswer> answer = client_->take_answer(answer_limit);
        if (!answer || !answer->ok) {
            lose(answer ? answer->error : answer.error().message);
            return false;
        }
        is_asked_ = false;
        due_ = Clock::now() + shortest_pause;
        problem_.clear();
        report_ = read_watch(*answer);
        return true;
    }
    TimePoint due() const { return due_; }

  private:
    void lose(std::string why) {
        client_.reset();
        is_asked_ = false;
        problem_ = std::move(why);
        due_ = Clock::now() + search_pause;
    }

    std::optional<ControlClient> client_;
    std::optional<WatchReport> report_;
    std::string problem_;
    bool is_asked_ = false;
    TimePoint due_{};
};

int milliseconds_until(TimePoint time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

/// The view in a terminal.
class LiveView {
  public:
    int run() {
        if (const Result<void> found = news_.connect(); !found)
            return complain(found.error(), exit_unusable);
        const UniqueFd signals = take_signals();
        screen_ = std::make_unique<Screen>();
        int number = 0;
        while (!is_over_ && number == 0) {
            news_.go_on();
            draw();
            wait(signals.get());
            number = take_signal(signals.get());
        }
        screen_.reset();
        if (number != 0)
            die_of(number);
        return exit_done;
    }

  private:
    void draw() const {
        const ScreenSize size = Screen::size();
        View view = view_of_stdout();
        view.width = size.columns;
        WatchContext context = context_now();
        context.rows = size.rows;
        context.has_blocks = terminal_has_blocks();
        std::vector<std::string> lines = problem_lines(news_.problem(), view);
        if (news_.report()) {
            const std::vector<std::string> known = watch_lines(*news_.report(), view, context);
            lines.insert(lines.end(), known.begin(), known.end());
        }
        if (lines.size() > size.rows)
            lines.resize(size.rows);
        screen_->draw(lines);
    }
    void wait(int signals) {
        pollfd entries[] = {{signals, POLLIN, 0},
                            {news_.fd(), POLLIN, 0},
                            {has_input_ ? STDIN_FILENO : -1, POLLIN, 0}};
        const TimePoint until = std::min(news_.due(), Clock::now() + longest_still);
        if (::poll(entries, 3, milliseconds_until(until)) <= 0)
            return;
        if (entries[1].revents != 0)
            news_.take();
        if (entries[2].revents != 0)
            take_key();
    }
    void take_key() {
        char keys[64];
        const ssize_t count = ::read(STDIN_FILENO, keys, sizeof keys);
        has_input_ = count > 0;
        is_over_ = std::find_if(keys, keys + std::max<ssize_t>(count, 0), [](char key) {
                       return key == 'q' || key == 'Q';
                   }) != keys + std::max<ssize_t>(count, 0);
    }
    /// The signal that ends the view, if one came.
    int take_signal(int signals) {
        signalfd_siginfo info{};
        while (::read(signals, &info, sizeof info) == sizeof info) {
            const int number = static_cast<int>(info.ssi_signo);
            if (number == SIGTSTP) {
                screen_.reset();
                ::raise(SIGSTOP);
                screen_ = std::make_unique<Screen>();
            } else if (number != SIGWINCH) { // which is answered by drawing again
                return number;
            }
        }
        return 0;
    }

    News news_;
    std::unique_ptr<Screen> screen_;
    bool has_input_ = ::isatty(STDIN_FILENO) != 0;
    bool is_over_ = false;
};

void print_news(const std::optional<WatchReport>& before, const WatchReport& report) {
    for (const std::string& line :
         news_lines(before ? &*before : nullptr, report, view_of_stdout(), context_now()))
        fmt::print("{}\n", line);
    std::fflush(stdout);
}

/// A line for each thing that happens.
int print_what_happens() {
    News news;
    if (const Result<void> found = news.connect(); !found)
        return complain(found.error(), exit_unusable);
    std::string told;
    while (std::ferror(stdout) == 0) {
        news.go_on();
        if (news.problem() != told && !news.problem().empty())
            complain(Error{news.problem()}, exit_unusable);
        told = news.problem();
        pollfd entries[] = {{news.fd(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
        ::poll(entries, 2, milliseconds_until(news.due()));
        if ((entries[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            break;
        const std::optional<WatchReport> before = news.report();
        if (entries[0].revents != 0 && news.take())
            print_news(before, *news.report());
    }
    return exit_done;
}

} // namespace

int watch_command() {
    const bool can_draw = ::isatty(STDOUT_FILENO) != 0 && environment("TERM") != "dumb";
    return can_draw ? LiveView().run() : print_what_happens();
}

} // namespace livesock

// livesockd(8): reads its words, builds the supervisor and runs it.

#include "preload/report.h"
#include "supervisor/base/clock.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/daemon/daemonize.hpp"
#include "supervisor/daemon/hardening.hpp"
#include "supervisor/daemon/sd_notify.hpp"
#include "supervisor/daemon/supervisor.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <getopt.h>
#include <unistd.h>

namespace {

using namespace livesock;
using namespace std::chrono_literals;

constexpr int wrong_words = 2;
constexpr char see_help[] = "Try 'livesockd --help'.\n";

/// How long a supervisor that was passed its socket waits for another to let go of the lock: so
/// short that a unit which never gets it is soon one that the service manager gives up.
constexpr auto lock_limit = 500ms;

constexpr char usage[] =
    R"(usage: livesockd [--daemon] [--config FILE] [--directory DIR] [--log-level LEVEL]
       livesockd --check-config [--config FILE]

  -d, --daemon           go into the background as soon as it serves
  -c, --config FILE      read FILE instead of ~/.config/livesock/livesock.toml
  -D, --directory DIR    the runtime directory (default: $LIVESOCK_DIR,
                         else ~/.local/state/livesock/HOST)
  -l, --log-level LEVEL  error, warning, info or debug
      --check-config     only say whether the configuration is right
  -V, --version
  -h, --help

See livesockd(8).
)";

struct Words {
    bool daemon = false;
    bool check_config = false;
    std::optional<int> successor; ///< the channel that the running supervisor has left open for us
    std::string directory;
    SupervisorOptions options;
};

/// Prints what was asked for; returns an exit status.
int tell(const char* text) {
    if (std::fputs(text, stdout) >= 0 && std::fflush(stdout) == 0)
        return EXIT_SUCCESS;
    std::fprintf(stderr, "livesockd: cannot write to standard output: %s\n", std::strerror(errno));
    return EXIT_FAILURE;
}

/// Takes the value of an option; an empty one is no default, but a variable that somebody has not
/// set.
std::optional<int> take_value(const char* option, std::string& value) {
    value = optarg;
    if (!value.empty())
        return std::nullopt;
    std::fprintf(stderr, "livesockd: %s is empty\n%s", option, see_help);
    return wrong_words;
}

/// The exit status, where the words alone decide it.
std::optional<int> read_words(int argc, char** argv, Words& words) {
    enum { check_config_option = 256, successor_option };
    static const option known[] = {
        {"daemon", no_argument, nullptr, 'd'},
        {"config", required_argument, nullptr, 'c'},
        {"directory", required_argument, nullptr, 'D'},
        {"log-level", required_argument, nullptr, 'l'},
        {"check-config", no_argument, nullptr, check_config_option},
        {"successor", required_argument, nullptr, successor_option},
        {"version", no_argument, nullptr, 'V'},
        {"help", no_argument, nullptr, 'h'},
        {nullptr, 0, nullptr, 0},
    };
    int found = 0;
    while ((found = ::getopt_long(argc, argv, "dc:D:l:Vh", known, nullptr)) != -1) {
        switch (found) {
        case 'd':
            words.daemon = true;
            break;
        case 'c':
            if (const auto status = take_value("--config", words.options.config_path))
                return status;
            break;
        case 'D':
            if (const auto status = take_value("--directory", words.directory))
                return status;
            break;
        case 'l':
            words.options.log_level = log::parse_level(optarg);
            if (!words.options.log_level) {
                std::fprintf(stderr, "livesockd: there is no log level '%s'\n", optarg);
                return wrong_words;
            }
            break;
        case check_config_option:
            words.check_config = true;
            break;
        case successor_option:
            words.successor = std::atoi(optarg);
            break;
        case 'V':
            return tell("livesockd " LIVESOCK_VERSION "\n");
        case 'h':
            return tell(usage);
        default:
            std::fputs(see_help, stderr);
            return wrong_words;
        }
    }
    if (optind == argc)
        return std::nullopt;
    std::fprintf(stderr, "livesockd: '%s' is no option\n%s", argv[optind], see_help);
    return wrong_words;
}

/// A daemon's working directory is "/".
std::string absolute(const std::string& path) {
    std::error_code none;
    return path.empty() ? path : std::filesystem::absolute(path, none).string();
}

void find_config(SupervisorOptions& options) {
    if (options.config_path.empty())
        options.config_path = environment("LIVESOCK_CONFIG");
    options.config_must_exist = !options.config_path.empty();
    if (options.config_path.empty())
        options.config_path = default_config_path();
    options.config_path = absolute(options.config_path);
}

int check_config(const SupervisorOptions& options) {
    const Result<Config> config = load_config(options.config_path, options.config_must_exist);
    if (config)
        return EXIT_SUCCESS;
    std::fprintf(stderr, "livesockd: %s\n", config.error().message.c_str());
    return EXIT_FAILURE;
}

Result<void> log_to(const std::string& file) {
    log::set_style(log::Style::timestamp);
    return log::open_file(file);
}

Result<std::unique_ptr<Supervisor>> take_over(SupervisorOptions options,
                                              std::unique_ptr<Predecessor> predecessor) {
    const Estate& estate = predecessor->estate;
    options.log_file = estate.log_file;
    if (!options.log_file.empty())
        if (Result<void> opened = log_to(options.log_file); !opened)
            return opened.error();
    Result<RuntimeDir> directory = RuntimeDir::make(estate.directory);
    if (!directory)
        return directory.error();
    SupervisorLock lock = SupervisorLock::inherit(std::move(predecessor->lock));
    if (!lock.is_lock_of(*directory))
        return Error{fmt::format("'{}' has been deleted or replaced", directory->path())};
    return Supervisor::create(ClaimedDir{std::move(*directory), std::move(lock)},
                              std::move(options), std::move(predecessor));
}

Result<std::unique_ptr<Supervisor>> start_as_successor(const Words& words) {
    Result<std::unique_ptr<Predecessor>> predecessor = Predecessor::meet(*words.successor);
    if (!predecessor)
        return predecessor.error();
    const Result<HandOverChannel> channel = (*predecessor)->channel().duplicate();
    if (!channel)
        return channel.error();
    Result<std::unique_ptr<Supervisor>> supervisor =
        take_over(words.options, std::move(*predecessor));
    if (!supervisor)
        Predecessor::refuse(*channel, supervisor.error().message);
    return supervisor;
}

/// Where a service manager passes the socket, another livesockd may hold the lock for as long as it
/// takes to find agent.sock served (see listen_in_place_of_dead()): the one that serves waits.
Result<ClaimedDir> claim(const std::vector<std::string>& choices, std::string_view named) {
    const TimePoint deadline = Clock::now() + (is_passed_sockets() ? lock_limit : 0s);
    for (;;) {
        Result<ClaimedDir> claimed = claim_first(choices, named);
        if (claimed || claimed.error().code != EWOULDBLOCK || Clock::now() >= deadline)
            return claimed;
        std::this_thread::sleep_for(10ms);
    }
}

Result<std::unique_ptr<Supervisor>> start(const Words& words) {
    DirectoryInputs inputs = directory_inputs();
    if (!words.directory.empty())
        inputs.livesock_dir = absolute(words.directory);
    const Result<std::vector<std::string>> choices = directory_choices(inputs);
    if (!choices)
        return choices.error();
    Result<ClaimedDir> claimed =
        claim(*choices, inputs.livesock_dir.empty() ? std::string() : choices->front());
    if (!claimed)
        return claimed.error();
    const RuntimeDir& directory = claimed->directory;
    SupervisorOptions options = words.options;
    if (words.daemon) {
        options.log_file = directory.entry(log_name);
        if (Result<void> opened = log_to(options.log_file); !opened)
            return opened.error();
    }
    if (const std::string preferred = preferred_directory(inputs);
        !preferred.empty() && directory.path() != preferred)
        log::warning("'{}' cannot be made, or cannot hold sockets (its path is too long, or its "
                     "file system takes none): the runtime directory is '{}'",
                     preferred, directory.path());
    return Supervisor::create(std::move(*claimed), std::move(options));
}

} // namespace

int main(int argc, char** argv) {
    open_standard_fds();
    Words words;
    if (const std::optional<int> status = read_words(argc, argv, words))
        return *status;
    find_config(words.options);
    if (words.check_config)
        return check_config(words.options);
    if (!environment("JOURNAL_STREAM").empty() && ::isatty(STDERR_FILENO) == 0)
        log::set_style(log::Style::journal);
    harden_process();
    if (Result<void> room = check_open_files(); !room) {
        log::error("{}", room.error().message);
        return EXIT_FAILURE;
    }
    Readiness readiness;
    if (words.daemon) {
        Result<Readiness> forked = daemonize();
        if (!forked) {
            log::error("{}", forked.error().message);
            return EXIT_FAILURE;
        }
        readiness = std::move(*forked);
    }
    Result<std::unique_ptr<Supervisor>> supervisor =
        words.successor ? start_as_successor(words) : start(words);
    if (!supervisor) {
        if (words.daemon)
            readiness.report(supervisor.error());
        else
            log::error("{}", supervisor.error().message);
        return EXIT_FAILURE;
    }
    readiness.report({});
    if (Result<void> ran = (*supervisor)->run(); !ran) {
        log::error("{}", ran.error().message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

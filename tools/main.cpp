// livesock(1): from the words of the command line to the functions that do the work.
#include "tools/agent_commands.hpp"
#include "tools/environment.hpp"
#include "tools/exit_status.hpp"
#include "tools/log_command.hpp"
#include "tools/supervisor_commands.hpp"
#include "tools/words.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace livesock {
namespace {

/// What the options are parsed into.
struct Options {
    bool json = false;
    bool posix = false;
    bool csh = false;
    bool fish = false;
    bool preload = false;
    bool follow = false;
    std::string path;
    std::vector<std::string> paths;
    pid_t pid = 0;
    std::string agent;
    std::string timeout;
};

struct Command {
    CLI::App* app;
    std::function<int()> act;
};

class CommandLine {
  public:
    explicit CommandLine(Words words)
        : words_(std::move(words)) {
        app_.name("livesock");
        app_.set_help_flag("-h,--help", "Show this help");
        app_.set_version_flag("--version", "livesock " LIVESOCK_VERSION, "Show the version");
        app_.allow_extras(); // collected, so that extra_word() can say what was meant
        app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
        app_.get_formatter()->label("Positionals", "Arguments");
        app_.get_formatter()->label("REQUIRED", "");
        add_environment_commands();
        add_supervisor_commands();
        add_agent_commands();
        app_.require_subcommand(0, 1);
        app_.footer("Exit status: 0 done; 1 no (no live agent); 2 no supervisor, or wrong words.\n"
                    "'livesock COMMAND --help' says more, livesock(1) says all.");
    }

    int execute();

  private:
    CLI::App& add(const char* name, const char* what, std::function<int()> act) {
        CLI::App* const app = app_.add_subcommand(name, what);
        app->group("Commands");
        commands_.push_back({app, std::move(act)});
        return *app;
    }
    void add_environment_commands();
    void add_supervisor_commands();
    void add_agent_commands();
    int env_words() const;
    int register_words() const;

    std::optional<std::string> unknown_command() const;
    std::optional<std::string> extra_word(const CLI::App& app) const;
    int wrong(const std::string& message) const { return complain(Error{message}, exit_unusable); }

    Words words_;
    Options options_;
    CLI::App app_{"Keeps SSH_AUTH_SOCK leading to an agent that is live."};
    std::vector<Command> commands_;
};

void CommandLine::add_environment_commands() {
    CLI::App& run = add("run", "Run a command with the supervisor started and its environment set",
                        [this] { return run_command(words_.command); });
    // For the help only: part_words() has taken these words away.
    run.add_option("COMMAND", words_.command, "What to execute, with options of its own")
        ->type_name("");
    CLI::App& env = add("env", "Print that environment for a login shell: eval \"$(livesock env)\"",
                        [this] { return env_words(); });
    env.add_flag("-s,--sh", options_.posix, "Print for sh, bash, dash, ksh, zsh");
    env.add_flag("-c,--csh", options_.csh, "Print for csh, tcsh");
    env.add_flag("--fish", options_.fish, "Print for fish (default: as $SHELL says)");
    env.add_flag("--preload", options_.preload, "Preload the shim into what the shell starts, too");
}

void CommandLine::add_supervisor_commands() {
    add("start", "Start the supervisor if it is not running", start_command);
    add("stop", "Stop the supervisor, and wait until it has ended", stop_command);
    add("restart", "Have a new supervisor take the place of the one that runs", restart_command);
    add("reload", "Have the supervisor read its configuration again", reload_command);
    CLI::App& log =
        add("log", "Show the supervisor's log", [this] { return log_command(options_.follow); });
    log.add_flag("-f,--follow", options_.follow, "Go on showing what is added");
}

void CommandLine::add_agent_commands() {
    add("status", "Show which agents there are, and which one is live", [this] {
        return status_command(options_.json);
    }).add_flag("--json", options_.json, "Print the supervisor's answer as JSON");
    add("list", "List the identities that the live agent offers", [this] {
        return list_command(options_.json);
    }).add_flag("--json", options_.json, "Print the supervisor's answer as JSON");
    CLI::App& reg = add("register", "Make an agent's socket known to the supervisor",
                        [this] { return register_words(); });
    reg.add_option("PATH", options_.path, "The socket (default: $SSH_AUTH_SOCK)")->type_name("");
    reg.add_option("--pid", options_.pid, "Take the SSH_AUTH_SOCK of process N")
        ->check(CLI::Range(1, std::numeric_limits<pid_t>::max()).description(""))
        ->type_name("N");
    add("use", "Pin an agent, or choose by itself again",
        [this] { return use_command(options_.agent); })
        .add_option("AGENT", options_.agent,
                    "Its path, label, client address or a key's fingerprint; or 'auto'")
        ->required()
        ->type_name("");
    add("heal", "Make dead and hung paths that programs still use lead to the live agent",
        [this] { return heal_command(options_.paths); })
        .add_option("PATH", options_.paths, "Such a path (default: all)")
        ->type_name("");
    add("wait", "Wait until an agent is live", [this] { return wait_command(options_.timeout); })
        .add_option("--timeout", options_.timeout,
                    "Give up after this long: 500ms, 30s, 5m; a bare number means seconds")
        ->type_name("T");
}

int CommandLine::env_words() const {
    if (int{options_.posix} + int{options_.csh} + int{options_.fish} > 1)
        return wrong("choose one of -s, -c and --fish");
    std::optional<Shell> shell;
    if (options_.posix)
        shell = Shell::posix;
    else if (options_.csh)
        shell = Shell::csh;
    else if (options_.fish)
        shell = Shell::fish;
    return env_command(shell, options_.preload);
}

int CommandLine::register_words() const {
    if (options_.pid == 0)
        return register_command(options_.path, std::nullopt);
    if (!options_.path.empty())
        return wrong("name a PATH or a --pid, not both");
    return register_command({}, options_.pid);
}

/// The first word that is no option names the command.
std::optional<std::string> CommandLine::unknown_command() const {
    std::vector<std::string> names;
    for (const Command& command : commands_)
        names.push_back(command.app->get_name());
    const auto verb = std::find_if(words_.own.begin(), words_.own.end(),
                                   [](const auto& word) { return !word.starts_with('-'); });
    if (verb == words_.own.end() || std::find(names.begin(), names.end(), *verb) != names.end())
        return std::nullopt;
    const std::vector<std::string_view> known(names.begin(), names.end());
    return unknown_word("command", *verb, known, "livesock --help");
}

std::optional<std::string> CommandLine::extra_word(const CLI::App& app) const {
    const std::vector<std::string> extras = app.remaining();
    if (extras.empty())
        return std::nullopt;
    const bool top = app.get_parent() == nullptr;
    const std::string help = (top ? "" : "livesock ") + app.get_name() + " --help";
    if (!extras.front().starts_with('-'))
        return unknown_word("argument", extras.front(), {}, help);
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames())
            names.push_back("--" + name);
    const std::vector<std::string_view> known(names.begin(), names.end());
    return unknown_word("option", extras.front(), known, help);
}

int CommandLine::execute() {
    if (const auto message = unknown_command())
        return wrong(*message);
    try {
        std::vector<std::string> reversed(words_.own.rbegin(), words_.own.rend());
        app_.parse(reversed);
    } catch (const CLI::Success& asked) { // --help, --version
        return app_.exit(asked);
    } catch (const CLI::ParseError& error) {
        return wrong(error.what());
    }
    if (const auto message = extra_word(app_))
        return wrong(*message);
    for (const Command& command : commands_)
        if (command.app->parsed()) {
            const auto message = extra_word(*command.app);
            return message ? wrong(*message) : command.act();
        }
    fmt::print(stderr, "{}", app_.help());
    return exit_unusable;
}

int run_words(int argc, char** argv) {
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    try {
        const int status = CommandLine(part_words(words)).execute();
        // What std::cout has flushed, and failed to, is told by the error indicator alone.
        if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0)
            return status;
        return complain(system_error("cannot write to standard output", errno), exit_no);
    } catch (const std::exception& error) { // no memory, or standard output cannot be written
        return complain(Error{error.what()}, exit_no);
    }
}

} // namespace
} // namespace livesock

int main(int argc, char** argv) {
    livesock::open_standard_fds();
    return livesock::run_words(argc, argv);
}

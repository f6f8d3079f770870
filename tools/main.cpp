// livesock(1): from the words of the command line to the functions that do the work.
#include "supervisor/base/escape.hpp"
#include "tools/agent_commands.hpp"
#include "tools/doctor_command.hpp"
#include "tools/environment.hpp"
#include "tools/exit_status.hpp"
#include "tools/log_command.hpp"
#include "tools/print.hpp"
#include "tools/setup_command.hpp"
#include "tools/signing_commands.hpp"
#include "tools/supervisor_commands.hpp"
#include "tools/watch_command.hpp"
#include "tools/why_command.hpp"
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

constexpr const char* no_agent_named =
    "name the agent: 'livesock use AGENT', or 'livesock use auto'";

constexpr const char* version = "livesock " LIVESOCK_VERSION;

/// What the options are parsed into.
struct Options {
    bool json = false;
    bool posix = false;
    bool csh = false;
    bool fish = false;
    bool preload = false;
    bool keep_own = false;
    bool tmux = false;
    bool follow = false;
    std::string colour;
    bool quiet = false;
    std::string path;
    std::vector<std::string> paths;
    pid_t pid = 0;
    std::string agent;
    std::optional<std::string> timeout;
    std::string name;
    std::string listener;
    bool revoke = false;
    bool list = false;
    bool devcontainer = false;
    SetupWords setup;
};

/// What is wrong with an empty word: it is no default, but a variable that somebody has not set.
std::string fault_of(const std::string& word) {
    return word.empty() ? "is empty" : "";
}

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
        app_.set_version_flag("--version", version, "Show the version");
        // For the help only: take_output_words() has taken these away.
        app_.add_option("--color", options_.colour,
                        "Have colours: auto, always, never (--color=WHEN)")
            ->type_name("[=WHEN]");
        app_.add_flag("-q,--quiet", options_.quiet, "Do not say what was done");
        app_.allow_extras(); // collected, so that extra_word() can say what was meant
        app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
        app_.get_formatter()->label("Positionals", "Arguments");
        app_.get_formatter()->label("REQUIRED", "");
        add_environment_commands();
        add_supervisor_commands();
        add_agent_commands();
        add_signing_commands();
        add_setup_command();
        // For those who are used to it; the help has the option.
        add("version", "Show the version", [] {
            fmt::print("{}\n", version);
            return exit_done;
        }).group("");
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
    void add_signing_commands();
    int token_words() const;
    void add_setup_command();
    int env_words() const;
    int register_words() const;
    int setup_words() const;

    std::optional<std::string> choose_output_by_words();
    void translate_help();
    std::optional<std::string> verb() const;
    std::string in_our_words(const CLI::ParseError& error) const;
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
    env.add_flag("--keep-own", options_.keep_own,
                 "Do nothing where SSH_AUTH_SOCK is a live agent of your own, and no login's");
    env.add_flag("--tmux", options_.tmux,
                 "Print nothing, but set them in the tmux server, for new panes");
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
    add("watch", "Show what happens, as it happens", watch_command);
    add("why", "Tell what the requests that failed last have failed on", [this] {
        return why_command(options_.json);
    }).add_flag("--json", options_.json, "Print the supervisor's answer as JSON");
    add("doctor", "Check everything that is known to go wrong, and say what to type", [this] {
        return doctor_command(options_.json);
    }).add_flag("--json", options_.json, "Print the findings as JSON");
    CLI::App& reg = add("register", "Make an agent's socket known to the supervisor",
                        [this] { return register_words(); });
    reg.add_option("PATH", options_.path, "The socket (default: $SSH_AUTH_SOCK)")
        ->check(fault_of)
        ->type_name("");
    reg.add_option("--pid", options_.pid, "Take the SSH_AUTH_SOCK of process N")
        ->check(CLI::Range(1, std::numeric_limits<pid_t>::max()).description(""))
        ->take_last()
        ->type_name("N");
    add("use", "Pin an agent, or choose by itself again",
        [this] {
            return options_.agent.empty() ? wrong(no_agent_named) : use_command(options_.agent);
        })
        .add_option("AGENT", options_.agent,
                    "Its path, label, client address or a key's fingerprint; or 'auto'")
        ->required()
        ->type_name("");
    add("heal", "Make dead and hung paths that programs still use lead to the live agent",
        [this] { return heal_command(options_.paths); })
        .add_option("PATH", options_.paths, "Such a path (default: all)")
        ->check(fault_of)
        ->type_name("");
    add("wait", "Wait until an agent is live", [this] { return wait_command(options_.timeout); })
        .add_option("--timeout", options_.timeout,
                    "Give up after this long: 500ms, 30s, 5m; a bare number means seconds")
        ->take_last()
        ->type_name("T");
}

void CommandLine::add_signing_commands() {
    CLI::App& signing =
        add("signing", "Set up commit signing in containers: 'signing token', 'signing expose'",
            [this] { return wrong("say what: 'livesock signing --help'"); });
    signing.require_subcommand(0, 1);
    CLI::App* const token = signing.add_subcommand(
        "token", "Make a token that lets a container sign, and show it once");
    token->add_option("NAME", options_.name, "What to call it")->type_name("");
    token->add_flag("--revoke", options_.revoke, "Make the token of that name invalid");
    token->add_flag("--list", options_.list, "List the names of the tokens");
    token->add_option("--listener", options_.listener, "Name or address of a signing listener")
        ->check(fault_of)
        ->take_last()
        ->type_name("L");
    CLI::App* const expose =
        signing.add_subcommand("expose", "Print what a container needs to sign here");
    expose->add_option("NAME", options_.name, "Name or address of the signing listener")
        ->check(fault_of)
        ->type_name("");
    expose->add_flag("--devcontainer", options_.devcontainer, "Print it as devcontainer.json");
    // The first that was parsed acts: these before the command that they belong to.
    commands_.insert(
        commands_.begin(),
        {{token, [this] { return token_words(); }},
         {expose, [this] { return expose_command(options_.name, options_.devcontainer); }}});
}

int CommandLine::token_words() const {
    if (options_.revoke && options_.list)
        return wrong("choose one of --revoke and --list");
    if (options_.list)
        return options_.name.empty() ? list_tokens_command(options_.listener)
                                     : wrong("--list takes no NAME");
    if (options_.name.empty())
        return wrong("name the token: 'livesock signing token NAME'");
    return options_.revoke ? revoke_token_command(options_.name, options_.listener)
                           : add_token_command(options_.name, options_.listener);
}

void CommandLine::add_setup_command() {
    SetupWords& words = options_.setup;
    CLI::App& setup = add("setup", "Have your shell, tmux and others use livesock",
                          [this] { return setup_words(); });
    setup
        .add_option("PART", words.parts,
                    "bash, zsh, fish, csh, tmux, screen, systemd (default: what is used here, "
                    "but systemd)")
        ->type_name("");
    setup.add_flag("-y,--yes", words.is_agreed, "Change the files without asking");
    setup.add_flag("--undo", words.undo, "Have the files as they were before");
    setup.add_flag("--check", words.only_check, "Only say what is missing");
    setup.add_flag("--ssh-rc", words.ssh_rc, "Set up ~/.ssh/rc, too");
}

int CommandLine::setup_words() const {
    if (options_.setup.only_check && (options_.setup.undo || options_.setup.is_agreed))
        return wrong("--check changes nothing: choose it, or --undo or --yes");
    return setup_command(options_.setup);
}

int CommandLine::env_words() const {
    if (int{options_.posix} + int{options_.csh} + int{options_.fish} + int{options_.tmux} > 1)
        return wrong("choose one of -s, -c, --fish and --tmux");
    std::optional<Shell> shell;
    if (options_.posix)
        shell = Shell::posix;
    else if (options_.csh)
        shell = Shell::csh;
    else if (options_.fish)
        shell = Shell::fish;
    return env_command({shell, options_.preload, options_.keep_own, options_.tmux});
}

int CommandLine::register_words() const {
    if (options_.pid == 0)
        return register_command(options_.path, std::nullopt);
    if (!options_.path.empty())
        return wrong("name a PATH or a --pid, not both");
    return register_command({}, options_.pid);
}

/// The first word that is no option names the command.
std::optional<std::string> CommandLine::verb() const {
    const auto word = std::find_if(words_.own.begin(), words_.own.end(),
                                   [](const auto& each) { return !each.starts_with('-'); });
    return word == words_.own.end() ? std::nullopt : std::optional(*word);
}

/// The library's own words are those of a programmer.
std::string CommandLine::in_our_words(const CLI::ParseError& error) const {
    const std::string text = error.what();
    const std::string option = text.substr(0, text.find(':'));
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) // no other command has one
        return extra_word(*app_.get_subcommand("use")).value_or(no_agent_named);
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
        return fmt::format("{} needs a value: see 'livesock {} --help'", escaped(option),
                           verb().value_or("COMMAND"));
    if (text.ends_with(": is empty"))
        return fmt::format("{}{} is empty: see 'livesock {} --help'",
                           option.starts_with('-') ? "" : "the ", option,
                           verb().value_or("COMMAND"));
    if (option == "--pid")
        return "--pid takes the number of a process";
    return text;
}

std::optional<std::string> CommandLine::unknown_command() const {
    std::vector<std::string> names;
    for (const Command& command : commands_)
        if (command.app->get_parent() == &app_)
            names.push_back(command.app->get_name());
    const std::optional<std::string> word = verb();
    if (!word || std::find(names.begin(), names.end(), *word) != names.end())
        return std::nullopt;
    const std::vector<std::string_view> known(names.begin(), names.end());
    return unknown_word("command", *word, known, "livesock --help");
}

std::optional<std::string> CommandLine::extra_word(const CLI::App& app) const {
    std::vector<std::string> extras = app.remaining();
    std::erase(extras, "--"); // the library counts it among them
    if (extras.empty())
        return std::nullopt;
    std::string help = app.get_name() + " --help";
    for (const CLI::App* above = app.get_parent(); above != nullptr; above = above->get_parent())
        help = above->get_name() + ' ' + help;
    if (!extras.front().starts_with('-'))
        return unknown_word("argument", extras.front(), {}, help);
    std::vector<std::string> names{"--color", "--quiet"};
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames())
            names.push_back("--" + name);
    const std::vector<std::string_view> known(names.begin(), names.end());
    return unknown_word("option", extras.front(), known, help);
}

/// Has all output as the words of every command say; the error names what they may say.
std::optional<std::string> CommandLine::choose_output_by_words() {
    const OutputWords words = take_output_words(words_.own);
    OutputChoice choice{.is_quiet = words.is_quiet};
    const std::string colour = words.colour.value_or("auto");
    if (colour == "always")
        choice.colour = ColourUse::always;
    else if (colour == "never")
        choice.colour = ColourUse::never;
    else if (colour != "auto")
        return fmt::format("--color is auto, always or never, not '{}'", escaped(colour));
    choose_output(choice);
    return std::nullopt;
}

/// What other tools have as a command: `help [COMMAND]`.
void CommandLine::translate_help() {
    if (verb() != "help")
        return;
    std::erase(words_.own, "help");
    words_.own.emplace_back("--help");
}

int CommandLine::execute() {
    if (const auto message = choose_output_by_words())
        return wrong(*message);
    translate_help();
    if (const auto message = unknown_command())
        return wrong(*message);
    try {
        std::vector<std::string> reversed(words_.own.rbegin(), words_.own.rend());
        app_.parse(reversed);
    } catch (const CLI::Success& asked) { // --help, --version
        return app_.exit(asked);
    } catch (const CLI::ParseError& error) {
        return wrong(in_our_words(error));
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

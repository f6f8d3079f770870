#include "tools/setup_command.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/spawn.hpp"
#include "tools/exit_status.hpp"
#include "tools/locate.hpp"
#include "tools/print.hpp"
#include "tools/setup_diff.hpp"
#include "tools/setup_plan.hpp"
#include "tools/supervisor_commands.hpp"
#include "tools/words.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

/// ZDOTDIR is known to zsh alone where ~/.zshenv does not export it.
std::string zsh_directory(const std::string& home, const std::string& config_home) {
    if (std::string named = environment("ZDOTDIR"); !named.empty())
        return named;
    const Result<SetupFile> zshenv = read_setup_file(home + "/.zshenv");
    const std::string text = zshenv ? zshenv->text.value_or("") : std::string();
    return zdotdir_in(text, home, config_home).value_or(home);
}

Result<Surroundings> surroundings() {
    const std::string home = environment("HOME");
    std::error_code problem;
    if (!home.starts_with('/') || !fs::is_directory(home, problem))
        return Error{fmt::format("HOME is '{}', and no directory: set it to that of the user whose "
                                 "files are to be changed",
                                 escaped(home))};
    const Result<std::vector<std::string>> directories = directory_choices(directory_inputs());
    if (!directories)
        return directories.error();
    const fs::path program = fs::read_symlink("/proc/self/exe", problem);
    if (problem)
        return system_error("cannot tell where livesock is", problem.value());
    const Installation found = locate();
    const std::string prefix = program.parent_path().parent_path().string();

    Surroundings around;
    around.home = home;
    around.config_home = config_home();
    around.zdotdir = zsh_directory(around.home, around.config_home);
    around.login_shell = environment("SHELL");
    around.program = program.string();
    around.supervisor = found.supervisor;
    around.shim = found.shim;
    around.directory = directories->empty() ? std::string() : directories->front();
    around.has_units = (prefix == "/usr" || prefix == "/usr/local") &&
                       exists(prefix + "/lib/systemd/user/livesockd.service");
    around.has_tmux = find_program("tmux").ok();
    around.exists = exists;
    return around;
}

/// Each of them once: a file is planned by itself, and would be by each.
Result<std::vector<Part>> chosen_parts(const SetupWords& words, const Surroundings& around) {
    std::vector<Part> parts;
    const auto choose = [&parts](Part part) {
        if (std::find(parts.begin(), parts.end(), part) == parts.end())
            parts.push_back(part);
    };
    for (const std::string& word : words.parts) {
        const std::optional<Part> part = part_called(word);
        if (!part) {
            std::vector<std::string_view> known;
            for (const Part each : all_parts())
                known.push_back(name_of(each));
            return Error{unknown_word("part", word, known, "livesock setup --help")};
        }
        choose(*part);
    }
    if (parts.empty() && words.undo)
        parts.assign(all_parts().begin(), all_parts().end());
    else if (parts.empty())
        parts = usual_parts(around);
    if (words.ssh_rc)
        choose(Part::ssh_rc);
    return parts;
}

/// The command that does what `words` say.
std::string command_of(const SetupWords& words, std::string_view option = {}) {
    std::string command = "livesock setup";
    for (const std::string& part : words.parts)
        command += ' ' + part;
    if (words.ssh_rc)
        command += " --ssh-rc";
    if (words.undo)
        command += " --undo";
    return command.append(option);
}

std::string unknown_shell(const std::string& shell) {
    return fmt::format("{}: livesock knows nothing of this login shell. At a login it is to set "
                       "what 'livesock env -s' prints",
                       escaped(shell));
}

void show(const View& view, const Plan& plan) {
    for (const Change& change : plan.changes) {
        if (change.file.is_link())
            fmt::print("{} leads to {}, which is changed:\n", shown_path(view, change.file.path),
                       shown_path(view, change.file.target));
        fmt::print("{}", unified_diff(view, shown_path(view, change.file.target), change.file.text,
                                      change.text));
        if (!change.remark.empty())
            fmt::print("{}: {}\n", shown_path(view, change.file.path), change.remark);
        fmt::print("\n");
    }
}

void print_all(const std::vector<std::string>& lines) {
    for (const std::string& line : lines)
        fmt::print("{}\n", line);
}

bool is_agreed(std::size_t count) {
    fmt::print("Change {} {}? [y/N] ", count, count == 1 ? "file" : "files");
    std::fflush(stdout);
    const int first = std::getchar();
    for (int c = first; c != '\n' && c != EOF; c = std::getchar())
        continue;
    return first == 'y' || first == 'Y';
}

Result<void> carry_out(const View& view, const Change& change) {
    if (!change.text)
        return remove(change.file);
    const Result<std::string> older = replace(change.file, *change.text, change.is_first);
    if (!older)
        return older.error();
    if (!older->empty())
        say(fmt::format("{}: what an earlier setup has kept is in {} now\n",
                        shown_path(view, change.file.path), shown_path(view, *older)));
    return {};
}

/// What remains after an undo: nothing, or a backup that says something else.
void tidy_up(const View& view, const Change& change) {
    if (leaves_backup(change.file, change.text.value_or("")))
        say(fmt::format("{} was changed since it was set up: what it was before is kept in {}\n",
                        shown_path(view, change.file.path),
                        shown_path(view, backup_of(change.file))));
}

/// Whether everything could be done.
bool carry_out(const View& view, const Plan& plan, bool undo) {
    bool done = true;
    for (const Change& change : plan.changes) {
        if (const Result<void> result = carry_out(view, change); !result) {
            complain(
                Error{fmt::format("{}: {}", escaped(change.file.path), result.error().message)},
                exit_no);
            done = false;
        } else if (undo) {
            tidy_up(view, change);
        } else if (change.is_first && change.file.text) {
            say(fmt::format("{}: changed; what it was is kept in {}\n",
                            shown_path(view, change.file.path),
                            shown_path(view, backup_of(change.file))));
        } else {
            say(fmt::format("{}: changed\n", shown_path(view, change.file.path)));
        }
    }
    // At the end: what several files had made for them is empty only then.
    for (const Change& change : plan.changes)
        remove_directories_above(change.file.path, change.directories);
    return done;
}

/// Those changes that are of a file of `part`.
std::vector<const Change*> changes_of(const Plan& plan, Part part, const Surroundings& around) {
    const std::vector<std::string> files = possible_files(part, around);
    std::vector<const Change*> found;
    for (const Change& change : plan.changes)
        if (std::find(files.begin(), files.end(), change.file.path) != files.end())
            found.push_back(&change);
    return found;
}

void say_what_next(const View& view, const Plan& plan, const Surroundings& around, bool undo) {
    const std::vector<const Change*> units = changes_of(plan, Part::systemd, around);
    const std::vector<const Change*> tmux = changes_of(plan, Part::tmux, around);
    if (!units.empty())
        say(fmt::format("Now: systemctl --user daemon-reload{}\n",
                        undo ? " && systemctl --user stop livesockd.socket livesockd.service"
                             : " && systemctl --user start livesockd.service"));
    if (undo) {
        say("What runs keeps its environment until you log in again.\n");
        return;
    }
    for (const Change* const change : tmux)
        say(fmt::format("A tmux that runs takes it for new panes with: tmux source-file {}\n",
                        shown_path(view, change->file.path)));
    const std::size_t told = units.size() + tmux.size();
    if (told < plan.changes.size())
        say(fmt::format("{} begins with the next login.\n", told == 0 ? "It" : "The rest"));
}

int check(const SetupWords& words, const View& view, const Plan& plan) {
    for (const Change& change : plan.changes)
        fmt::print("{}: {}\n", shown_path(view, change.file.path),
                   change.is_first ? "is not set up" : "is set up otherwise than it would be now");
    print_all(plan.obstacles);
    print_all(plan.remarks);
    if (!plan.changes.empty())
        fmt::print("To set it up: {}\n", command_of(words));
    return plan.changes.empty() && plan.obstacles.empty() ? exit_done : exit_no;
}

} // namespace

int setup_command(const SetupWords& words) {
    const Result<Surroundings> around = surroundings();
    if (!around)
        return complain(around.error(), exit_unusable);
    const Result<std::vector<Part>> parts = chosen_parts(words, *around);
    if (!parts)
        return complain(parts.error(), exit_unusable);
    const View view = view_of_stdout();
    Plan plan = words.undo ? plan_undo(*parts, *around) : plan_setup(*parts, *around);
    if (words.parts.empty() && !words.undo && !is_known_shell(around->login_shell))
        plan.obstacles.push_back(unknown_shell(around->login_shell));
    if (words.only_check)
        return check(words, view, plan);
    if (!words.is_agreed || !is_quiet())
        show(view, plan);
    print_all(plan.obstacles);
    if (!is_quiet())
        print_all(plan.remarks);
    const int otherwise = plan.obstacles.empty() ? exit_done : exit_no;
    if (plan.changes.empty()) {
        if (plan.obstacles.empty())
            say(fmt::format("There is nothing to {}.\n", words.undo ? "undo" : "change"));
        return otherwise;
    }
    if (!words.is_agreed && (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0))
        return complain(Error{fmt::format("nothing was changed: there is no terminal to ask at. To "
                                          "do this: {}",
                                          command_of(words, " --yes"))},
                        exit_no);
    if (!words.is_agreed && !is_agreed(plan.changes.size())) {
        fmt::print("Nothing was changed.\n");
        return exit_no;
    }
    if (!carry_out(view, plan, words.undo))
        return exit_no;
    say_what_next(view, plan, *around, words.undo);
    return otherwise;
}

} // namespace livesock

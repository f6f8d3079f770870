// What a livesock that was removed has left: its preload library, as long as programs name it.
#include "supervisor/base/escape.hpp"
#include "supervisor/base/process_files.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/exports.hpp"
#include "tools/phrases.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view installed_name = "/livesock/liblivesock.so";

bool is_file_there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

/// PREFIX of "PREFIX/lib/.../livesock/liblivesock.so"; empty for a path of another kind.
std::string prefix_of(const std::string& shim) {
    const std::size_t end = shim.rfind("/lib/", shim.size() - installed_name.size());
    return end == std::string::npos ? std::string() : shim.substr(0, end);
}

/// The libraries of the usual places.
std::map<std::string, std::int64_t> usual_shims(const std::string& home) {
    std::map<std::string, std::int64_t> shims;
    for (const std::string& prefix :
         {std::string("/usr"), std::string("/usr/local"), home + "/.local"}) {
        glob_t found{};
        if (::glob((prefix + "/lib/*" + std::string(installed_name)).c_str(), 0, nullptr, &found) ==
            0)
            for (std::size_t i = 0; i < found.gl_pathc; ++i)
                shims.emplace(found.gl_pathv[i], 0);
        ::globfree(&found);
    }
    return shims;
}

/// Adds those that LD_PRELOAD of a process names.
void count_users(const std::string& preload, std::map<std::string, std::int64_t>& shims) {
    for (std::size_t start = 0; start < preload.size();) {
        const std::size_t end = std::min(preload.find_first_of(": ", start), preload.size());
        const std::string path = preload.substr(start, end - start);
        if (path.starts_with('/') && path.ends_with(installed_name))
            ++shims[path];
        start = end + 1;
    }
}

std::string remedy_of(const DoctorFacts& facts, const LeftShim& shim) {
    if (!shim.installer.empty())
        return quoted_word(facts.shell, shim.installer) + " --uninstall";
    return "rm -r " + quoted_word(facts.shell, fs::path(shim.path).parent_path().string());
}

} // namespace

std::vector<LeftShim> collect_left_shims(const std::string& home) {
    std::map<std::string, std::int64_t> shims = usual_shims(home);
    bool has_multiplexer = false;
    std::size_t seen = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        if (++seen > most_processes)
            break;
        const auto pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
        const std::string variables = environment_of(pid);
        count_users(std::string(variable_in(variables, "LD_PRELOAD").value_or("")), shims);
        const auto process = process_facts(pid);
        has_multiplexer |=
            process && (process->program == "tmux: server" || process->program == "screen");
    }
    std::vector<LeftShim> left;
    for (const auto& [path, users] : shims) {
        const std::string prefix = prefix_of(path);
        if (prefix.empty() || !is_file_there(path) || is_file_there(prefix + "/bin/livesock"))
            continue;
        const std::string place = fs::path(path).parent_path().parent_path();
        const std::string installer = prefix + "/share/livesock/install.sh";
        left.push_back(
            {.path = path,
             .installer = is_file_there(installer) ? installer : std::string(),
             .users = users,
             .has_multiplexer = has_multiplexer,
             .may_have_more = ::access(place.c_str(), W_OK) != 0 || seen > most_processes});
    }
    return left;
}

Findings check_left_shims(const DoctorFacts& facts) {
    Findings findings;
    for (const LeftShim& shim : facts.system.left_shims) {
        const std::string subject = escaped(shim.path) + ", of a livesock that was removed,";
        if (shim.users > 0)
            findings.push_back(good(fmt::format("{} stays: {} it", subject,
                                                plural(shim.users, "program") +
                                                    (shim.users == 1 ? " names" : " name"))));
        else if (shim.has_multiplexer)
            findings.push_back(good(subject + " stays: a tmux or screen may give it to new panes"));
        else if (shim.may_have_more)
            findings.push_back(good(subject + " stays: other users' programs may name it, as 'sudo "
                                              "livesock doctor' sees"));
        else
            findings.push_back(
                bad(subject + " can go: nobody names it any more", remedy_of(facts, shim)));
    }
    return findings;
}

} // namespace livesock

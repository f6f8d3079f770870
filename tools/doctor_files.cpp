// What `doctor` learns from programs and files: of this user, of sshd, of systemd.
#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/spawn.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/own_socket.hpp"
#include "tools/system_files.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>

#include <elf.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

/// More of a file, and more files of one pattern, are not read.
constexpr std::size_t most_text = 1024 * 1024;
constexpr std::size_t most_files = 256;

/// So many generations are looked at.
constexpr int most_ancestors = 32;

constexpr const char* agent_programs[] = {
    "ssh",  "scp",    "sftp",      "ssh-add", "ssh-keygen", "git",  "git-lfs", "rsync",  "mosh",
    "gh",   "glab",   "jj",        "hub",     "lazygit",    "sops", "age",     "rclone", "restic",
    "borg", "packer", "terraform", "docker",  "podman",     "helm", "flux",    "cargo",  "chezmoi",
};

constexpr const char* start_up_files[] = {
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".kshrc",
    ".login",
    ".cshrc",
    ".tcshrc",
    ".xprofile",
    ".xsessionrc",
    ".ssh/rc",
    ".bash_aliases",
    ".config/fish/config.fish",
};

TextFile file_at(const std::string& path) {
    std::error_code absent; // dotfiles are often symlinks
    const fs::path real = fs::canonical(path, absent);
    if (absent || !fs::is_regular_file(real, absent))
        return {path, {}};
    return {path, read_beginning(real, most_text).value_or("")};
}

std::vector<TextFile> files_like(const std::string& pattern) {
    glob_t found{};
    std::vector<TextFile> files;
    if (::glob(pattern.c_str(), GLOB_NOCHECK, nullptr, &found) == 0)
        for (std::size_t i = 0; i < std::min<std::size_t>(found.gl_pathc, most_files); ++i)
            files.push_back(file_at(found.gl_pathv[i]));
    ::globfree(&found);
    return files;
}

std::vector<TextFile> sshd_includes(const std::string& pattern) {
    return files_like(pattern.starts_with('/') ? pattern : "/etc/ssh/" + pattern);
}

/// The drop-ins `pattern` of systemd in order of their names, those of the earlier directories in
/// place of those of the same name in later ones.
std::vector<TextFile> drop_ins(const std::vector<std::string>& directories,
                               const std::string& pattern) {
    std::map<std::string, TextFile> by_name;
    for (const std::string& directory : directories)
        for (TextFile& file : files_like(directory + '/' + pattern))
            by_name.emplace(fs::path(file.path).filename(), std::move(file));
    std::vector<TextFile> files;
    for (auto& [name, file] : by_name)
        files.push_back(std::move(file));
    return files;
}

/// Whether the program at `path` is ELF and names no interpreter: nothing is loaded into it.
bool is_static(const std::string& path) {
    std::error_code ignored;
    const std::string head = read_beginning(fs::canonical(path, ignored), 64 * 1024).value_or("");
    Elf64_Ehdr header{};
    if (head.size() < sizeof header || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0 ||
        head[EI_CLASS] != ELFCLASS64)
        return false;
    std::memcpy(&header, head.data(), sizeof header);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr entry{};
        const std::size_t offset = header.e_phoff + i * sizeof entry;
        if (offset > head.size() || head.size() - offset < sizeof entry)
            return false;
        std::memcpy(&entry, head.data() + offset, sizeof entry);
        if (entry.p_type == PT_INTERP)
            return false;
    }
    return header.e_phnum > 0;
}

bool is_privileged(const std::string& path) {
    struct stat status {};
    const bool has_bits =
        ::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
    return has_bits || ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

bool descends_from(std::string_view program) {
    auto process = process_facts(::getppid());
    for (int i = 0; process && i < most_ancestors; ++i) {
        if (process->program == program)
            return true;
        process = process->parent > 0 ? process_facts(process->parent) : std::nullopt;
    }
    return false;
}

/// Sockets of sshd in the home directory at which nobody on this host listens. Nobody is asked:
/// many that do not answer would take long.
std::int64_t count_foreign(const std::string& home) {
    std::int64_t count = 0;
    std::error_code ignored;
    std::size_t seen = 0;
    for (const auto& entry : fs::directory_iterator(home + "/.ssh/agent", ignored))
        if (++seen <= most_files && entry.is_socket(ignored) && is_dead(entry.path()))
            ++count;
    return count;
}

/// Processes of this user that go on with a library that was deleted or replaced.
std::int64_t count_old_shims() {
    std::int64_t count = 0;
    std::size_t seen = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        struct stat status {};
        if (name.find_first_not_of("0123456789") != std::string::npos ||
            ::stat(entry.path().c_str(), &status) != 0 || status.st_uid != ::geteuid())
            continue;
        if (++seen > most_processes)
            break;
        const std::string maps =
            read_beginning(entry.path().string() + "/maps", most_text).value_or("");
        count += maps.find("liblivesock.so (deleted)") != std::string::npos ? 1 : 0;
    }
    return count;
}

void look_at_logind(const std::string& user, SystemState& system) {
    system.has_logind = ::access("/run/systemd/users", F_OK) == 0;
    system.lingers = ::access(("/var/lib/systemd/linger/" + user).c_str(), F_OK) == 0;
    std::vector<TextFile> files{file_at("/etc/systemd/logind.conf")};
    for (TextFile& file : drop_ins({"/etc/systemd/logind.conf.d", "/run/systemd/logind.conf.d",
                                    "/usr/lib/systemd/logind.conf.d"},
                                   "*.conf"))
        files.push_back(std::move(file));
    if (const auto line = killing_line(user, files))
        system.killing.push_back(*line);
}

} // namespace

std::vector<AgentProgram> collect_programs() {
    std::vector<AgentProgram> programs;
    for (const char* const name : agent_programs)
        if (const Result<std::string> path = find_program(name))
            programs.push_back({name, is_static(*path), is_privileged(*path)});
    return programs;
}

LoginState collect_login(const std::string& home) {
    LoginState login;
    login.is_ssh = !environment("SSH_CONNECTION").empty();
    login.is_mosh = descends_from("mosh-server");
    if (const auto line = forbidding_line(file_at("/etc/ssh/sshd_config"), sshd_includes))
        login.forbidding.push_back(*line);
    for (const char* const name : {"/.ssh/authorized_keys", "/.ssh/authorized_keys2"})
        for (FileLine& line : restricted_keys(file_at(home + name)))
            login.restricted_keys.push_back(std::move(line));
    return login;
}

SystemState collect_system(const std::string& user, const std::string& home) {
    SystemState system;
    look_at_logind(user, system);
    // Without systemd nobody runs systemd-tmpfiles --clean, whatever the files say.
    if (::access("/run/systemd/system", F_OK) == 0) {
        Ageing ageing = ageing_of(
            "/tmp",
            drop_ins({"/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d"}, "*.conf"));
        system.ageing = std::move(ageing.lines);
        system.kept = std::move(ageing.kept);
    }
    system.foreign_sockets = count_foreign(home);
    system.old_shims = count_old_shims();
    system.left_shims = collect_left_shims(home);
    for (const char* const name : start_up_files)
        for (FileLine& line : rival_lines(file_at(home + '/' + name)))
            system.rivals.push_back(std::move(line));
    return system;
}

} // namespace livesock

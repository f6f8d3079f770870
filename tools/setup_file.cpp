#include "tools/setup_file.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

/// A start file that is longer is something else.
constexpr off_t longest_file = off_t{1024} * 1024;

constexpr mode_t mode_of_new_directories = 0700;
constexpr mode_t mode_of_new_files = 0666; // and umask(2) has its say

std::string parent_of(const std::string& path) {
    return fs::path(path).parent_path().string();
}

Result<std::string> read_all(int fd, const std::string& path) {
    std::string text;
    char chunk[64 * 1024];
    for (;;) {
        const ssize_t count = ::read(fd, chunk, sizeof chunk);
        if (count < 0)
            return system_error(fmt::format("cannot read '{}'", escaped(path)), errno);
        if (count == 0)
            return text;
        text.append(chunk, static_cast<std::size_t>(count));
    }
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0)
            return system_error(fmt::format("cannot write '{}'", escaped(path)), errno);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

bool is_there(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

/// The parents of `path` that are missing, the uppermost one last.
std::vector<std::string> missing_parents(const std::string& path) {
    std::vector<std::string> missing;
    for (std::string each = parent_of(path); ::access(each.c_str(), F_OK) != 0 && each.size() > 1;
         each = parent_of(each))
        missing.push_back(each);
    return missing;
}

Result<void> make_directories(const std::string& path) {
    const std::vector<std::string> missing = missing_parents(path);
    for (auto each = missing.rbegin(); each != missing.rend(); ++each)
        if (::mkdir(each->c_str(), mode_of_new_directories) != 0 && errno != EEXIST)
            return system_error(fmt::format("cannot make '{}'", escaped(*each)), errno);
    return {};
}

/// A file under a temporary name, removed unless it was put in its place.
class NewText {
  public:
    explicit NewText(const std::string& target)
        : name_(target + ".livesock-XXXXXX") {
        fd_ = UniqueFd(::mkostemp(name_.data(), O_CLOEXEC));
    }
    NewText(const NewText&) = delete;
    NewText& operator=(const NewText&) = delete;
    ~NewText() {
        if (fd_)
            ::unlink(name_.c_str());
    }

    /// With the owner and mode of `like`; a file that does not exist is this user's.
    Result<void> fill(std::string_view text, const SetupFile& like) {
        if (!fd_)
            return system_error(fmt::format("cannot make a file in '{}'", parent_of(name_)), errno);
        if (Result<void> written = write_all(fd_.get(), text, name_); !written)
            return written;
        const mode_t mask = ::umask(0);
        ::umask(mask);
        const bool is_new = !like.text;
        if (!is_new && (like.uid != ::geteuid() || like.gid != ::getegid()) &&
            ::fchown(fd_.get(), like.uid, like.gid) != 0)
            return system_error(fmt::format("cannot keep the owner of '{}'", escaped(like.target)),
                                errno);
        if (::fchmod(fd_.get(), is_new ? mode_of_new_files & ~mask : like.mode) != 0 ||
            ::fsync(fd_.get()) != 0)
            return system_error(fmt::format("cannot write '{}'", escaped(like.target)), errno);
        return {};
    }

    Result<void> take_the_place_of(const std::string& target) {
        if (::rename(name_.c_str(), target.c_str()) != 0)
            return system_error(fmt::format("cannot replace '{}'", escaped(target)), errno);
        fd_.reset();
        return {};
    }

  private:
    std::string name_;
    UniqueFd fd_;
};

Result<void> check_unchanged(const SetupFile& file) {
    const Result<SetupFile> now = read_setup_file(file.path);
    if (!now)
        return now.error();
    if (now->text != file.text || now->target != file.target)
        return Error{"it was changed in the meantime: run this again"};
    return {};
}

/// Gives a backup of `file` that an earlier setup has left, and that says something else than
/// `file` says, another name, and returns that; an empty one where there is none.
Result<std::string> set_older_backup_aside(const SetupFile& file) {
    const std::string backup = backup_of(file);
    const Result<SetupFile> older = read_setup_file(backup);
    if (older && (!older->text || older->text == file.text))
        return std::string();
    std::string aside;
    for (int number = 1; aside.empty() || is_there(aside); ++number)
        aside = fmt::format("{}.{}", backup, number);
    if (::rename(backup.c_str(), aside.c_str()) != 0)
        return system_error(fmt::format("cannot rename '{}'", escaped(backup)), errno);
    return aside;
}

/// Returns the name that an older backup has now.
Result<std::string> keep_backup(const SetupFile& file) {
    const std::string backup = backup_of(file);
    NewText text(backup);
    if (const Result<void> filled = text.fill(*file.text, file); !filled)
        return filled.error();
    Result<std::string> older = set_older_backup_aside(file);
    if (!older)
        return older;
    if (const Result<void> kept = text.take_the_place_of(backup); !kept)
        return kept.error();
    return older;
}

} // namespace

Result<SetupFile> read_setup_file(const std::string& path) {
    SetupFile file{.path = path, .target = path, .text = {}};
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno != ENOENT)
            return system_error("it cannot be looked at", errno);
        file.missing_directories = missing_parents(path).size();
        return file;
    }
    if (S_ISLNK(status.st_mode)) {
        std::error_code problem;
        file.target = fs::canonical(path, problem).string();
        if (problem)
            return Error{"it is a symbolic link that leads nowhere", ENOENT};
    }
    const UniqueFd fd(::open(file.target.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return system_error("it cannot be opened", errno);
    if (!S_ISREG(status.st_mode))
        return Error{"it is no file"};
    if (status.st_size > longest_file)
        return Error{"it is too long for a file of this kind"};
    file.mode = status.st_mode & 07777U;
    file.uid = status.st_uid;
    file.gid = status.st_gid;
    Result<std::string> text = read_all(fd.get(), file.target);
    if (!text)
        return text.error();
    file.text = *std::move(text);
    return file;
}

Result<void> check_replaceable(const SetupFile& file) {
    const std::vector<std::string> missing = missing_parents(file.target);
    const std::string directory = parent_of(missing.empty() ? file.target : missing.back());
    if (::access(directory.c_str(), W_OK | X_OK) != 0)
        return system_error(fmt::format("nothing can be written in '{}'", escaped(directory)),
                            errno);
    if (!file.text)
        return {};
    if ((file.mode & S_IWUSR) == 0)
        return Error{"it is read-only"};
    if (file.uid != ::geteuid())
        return Error{fmt::format("it belongs to uid {}", file.uid)};
    struct stat status {};
    if (::stat(file.target.c_str(), &status) == 0 && status.st_nlink > 1)
        return Error{fmt::format("it has {} names (hard links)", status.st_nlink)};
    if (file.is_link() && ::access(parent_of(file.path).c_str(), W_OK | X_OK) != 0)
        return system_error(fmt::format("no backup can be kept in '{}'", parent_of(file.path)),
                            errno);
    return {};
}

std::string backup_of(const SetupFile& file) {
    return file.path + ".livesock-backup";
}

Result<std::string> replace(const SetupFile& file, const std::string& text, bool with_backup) {
    if (const Result<void> made = make_directories(file.target); !made)
        return made.error();
    NewText replacement(file.target);
    if (const Result<void> filled = replacement.fill(text, file); !filled)
        return filled.error();
    if (const Result<void> unchanged = check_unchanged(file); !unchanged)
        return unchanged.error();
    Result<std::string> older =
        with_backup && file.text ? keep_backup(file) : Result<std::string>(std::string());
    if (!older)
        return older;
    if (const Result<void> replaced = replacement.take_the_place_of(file.target); !replaced)
        return replaced.error();
    return older;
}

Result<void> remove(const SetupFile& file) {
    if (Result<void> unchanged = check_unchanged(file); !unchanged)
        return unchanged;
    if (::unlink(file.target.c_str()) != 0)
        return system_error(fmt::format("cannot remove '{}'", escaped(file.target)), errno);
    return {};
}

bool leaves_backup(const SetupFile& file, const std::string& text) {
    const std::string backup = backup_of(file);
    const Result<SetupFile> kept = read_setup_file(backup);
    if (!kept || !kept->text)
        return !kept;
    return *kept->text != text || ::unlink(backup.c_str()) != 0;
}

void remove_directories_above(const std::string& path, std::size_t count) {
    std::string each = parent_of(path);
    for (; count > 0 && ::rmdir(each.c_str()) == 0; --count)
        each = parent_of(each);
}

} // namespace livesock

// Reading files: those that only the user, or root, can have written, and others up to a limit.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <dirent.h>
#include <sys/types.h>

namespace livesock {

struct DirCloser {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Of opendir(3) or fdopendir(3); closed with it.
using OpenDirectory = std::unique_ptr<DIR, DirCloser>;

/// What a file is for, and so who but its owner may do what with it.
enum class FileUse {
    settings, ///< not everybody may write to it
    secret,   ///< nobody else may read or write it
};

/// The regular file at `path`, or what it links to, opened for reading. It must belong to this user
/// or root, and its mode fit its use. Never waits for a writer. The error begins with `what`
/// ("cannot read '/x'") and says what to do; its code is ENOENT or ENOTDIR where there is nothing.
[[nodiscard]] Result<UniqueFd> open_trusted_file(const std::string& path, FileUse use,
                                                 const std::string& what);

/// The next bytes of `fd` up to its end, at most `most`. The error begins with `what`.
[[nodiscard]] Result<std::string> read_up_to(const UniqueFd& fd, std::size_t most,
                                             const std::string& what);

/// The first `most` bytes of the file at `path`, which is no symlink.
[[nodiscard]] Result<std::string> read_beginning(const std::string& path, std::size_t most);

/// Tells one state of a file's contents from another, as far as that can be seen without reading
/// them.
struct FileVersion {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0; ///< in nanoseconds since the epoch

    bool operator==(const FileVersion&) const = default;
};

/// Of what is at `path`, symlinks followed; none if nothing is.
[[nodiscard]] std::optional<FileVersion> version_of(const std::string& path);

/// Why open(2) has failed with `code` on `path`, which is to be `what` of ours ("our log") and is
/// made where it is missing. Where something else has its name, that is to be removed, and
/// Error::code is EPERM.
[[nodiscard]] Error cannot_open_own(const std::string& path, const char* what, int code);

} // namespace livesock

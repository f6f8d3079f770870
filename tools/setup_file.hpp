// The files that `livesock setup` changes, as they lie there: reading, replacing, removing.
#pragma once

#include "supervisor/base/result.hpp"

#include <cstddef>
#include <optional>
#include <string>

#include <sys/types.h>

namespace livesock {

/// A file, or where one may be made.
struct SetupFile {
    std::string path;                ///< as its program looks for it
    std::string target;              ///< what is replaced: `path`, or where it leads as a symlink
    std::optional<std::string> text; ///< none where there is no file
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    std::size_t missing_directories = 0; ///< parents that have to be made first

    bool is_link() const { return target != path; }
};

/// What is at `path`. Error: something that cannot be a configuration file, as a directory, or a
/// symlink that leads nowhere.
[[nodiscard]] Result<SetupFile> read_setup_file(const std::string& path);

/// Whether `file` may be replaced at all; the error says why not: it is read-only, another user's,
/// or has several names, of which all but one would keep the old text.
[[nodiscard]] Result<void> check_replaceable(const SetupFile& file);

/// Where what a file was before it was changed first is kept.
[[nodiscard]] std::string backup_of(const SetupFile& file);

/// Has `file` say `text`, by rename, with its owner and mode; makes its directories. With
/// `with_backup` what it said is kept beside it; a backup that an earlier setup has left, and that
/// says something else, gets another name, which is returned, else an empty one. Nothing is changed
/// where that fails, nor (Error) where the file is not as it was read any more.
[[nodiscard]] Result<std::string> replace(const SetupFile& file, const std::string& text,
                                          bool with_backup);

/// Removes `file`, unless it is not as it was read any more.
[[nodiscard]] Result<void> remove(const SetupFile& file);

/// Removes the backup of `file` if it says `text`; whether one that says something else is left.
[[nodiscard]] bool leaves_backup(const SetupFile& file, const std::string& text);

/// Removes up to `count` directories above `path`, as long as they are empty.
void remove_directories_above(const std::string& path, std::size_t count);

} // namespace livesock

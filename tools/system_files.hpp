// What files of the system and of the user say that bears on agents. Pure functions of their text.
#pragma once

#include "tools/doctor_facts.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// A file, and what is in it.
struct TextFile {
    std::string path = {};
    std::string text = {};
};

/// Gives the files that a pattern of `Include` names, in order; relative ones are below /etc/ssh.
using Includer = std::function<std::vector<TextFile>(const std::string& pattern)>;

/// The line of sshd_config(5) that forbids to forward agents for everybody, if there is one: the
/// first value counts, files that are included stand where they are named, and what comes after a
/// `Match` is for some.
[[nodiscard]] std::optional<FileLine> forbidding_line(const TextFile& config,
                                                      const Includer& included);

/// The lines of authorized_keys (sshd(8)) whose options keep the agent from being forwarded.
[[nodiscard]] std::vector<FileLine> restricted_keys(const TextFile& keys);

/// What lines of tmpfiles.d(5) say about the clean-up of `directory`.
struct Ageing {
    std::vector<FileLine> lines = {};   ///< those that have it cleaned by age
    std::vector<std::string> kept = {}; ///< what is excepted: patterns
};
[[nodiscard]] Ageing ageing_of(const std::string& directory, const std::vector<TextFile>& files);

/// The line of logind.conf(5) by which what `user` leaves running is ended with the login that it
/// was started in, if there is one. Of lines with the same key the last one counts, of lists all
/// do.
[[nodiscard]] std::optional<FileLine> killing_line(const std::string& user,
                                                   const std::vector<TextFile>& files);

/// Whether a shell reads a file the same, but for this line, when ": #" is put before it: not if it
/// is a part of a command of several lines.
[[nodiscard]] bool stands_alone(std::string_view line);

/// The lines of a shell's start-up file by which something else than livesock sets SSH_AUTH_SOCK.
/// Those that do so only where it is not set are passed over.
[[nodiscard]] std::vector<FileLine> rival_lines(const TextFile& file);

} // namespace livesock

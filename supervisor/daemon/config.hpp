// What the user can set: livesock.toml(5).
#pragma once

#include "supervisor/base/file.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/result.hpp"
#include "supervisor/broker/settings.hpp"
#include "supervisor/proxy/settings.hpp"
#include "supervisor/signing/settings.hpp"
#include "supervisor/upstream/settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// The whole configuration. One that was made by the functions below has only values in range.
struct Config {
    DiscoverySettings discovery;
    ProbeSettings probe;
    SelectionSettings selection;
    ProxySettings proxy;
    std::vector<FallbackSettings> fallbacks; ///< in the order in which they are preferred
    std::vector<SigningSettings> signing;    ///< its listeners; none: signing is off
    std::vector<UpstreamSettings> upstreams; ///< in the order of the file
    std::vector<ListenSettings> listens;
    BrokerSettings broker;

    Labels labels;
    StandInMode stand_in = StandInMode::hung;
    log::Level log_level = log::Level::info;

    std::optional<FileVersion> file; ///< that it was read from; none if there was none

    bool operator==(const Config&) const = default;
};

/// More fallbacks than this are refused.
inline constexpr std::size_t most_fallbacks = 16;

/// More signing listeners than this are refused.
inline constexpr std::size_t most_signing_listeners = 16;
/// More upstreams, or listeners, than this are refused.
inline constexpr std::size_t most_upstream_tables = 32;
inline constexpr std::size_t most_listen_tables = 32;

/// More guests, or listeners for guests, than this are refused.
inline constexpr std::size_t most_broker_tables = 64;

/// More labels than this are refused, and longer ones.
inline constexpr std::size_t most_labels = 256;
inline constexpr std::size_t longest_label_bytes = 64;

/// The largest configuration that is read, in bytes.
inline constexpr std::size_t largest_config = 1024 * 1024;

/// The configuration that `text` (TOML 1.0) says; what it leaves out has its default. `file` is
/// its name in messages, `home` (may be empty: unknown) stands for the "~" of a pattern. The error
/// is the first one in the text, as one line: "FILE:LINE:COLUMN: what is wrong, what was expected".
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& file,
                                          const std::string& home);

/// parse_config() of the file at `path`. One that is missing is an error (code ENOENT) only if it
/// `must_exist`, else the default configuration; so is an empty path. The file must be a regular
/// one of this user or root that not everybody may write to. Reading it never waits.
[[nodiscard]] Result<Config> load_config(const std::string& path, bool must_exist);

} // namespace livesock

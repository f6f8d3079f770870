// What the machines are called from which people log in. Nobody is asked over a network.
#pragma once

#include "supervisor/base/file.hpp"
#include "supervisor/upstream/settings.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// The first name of `address` in `hosts`, a text in the form of hosts(5). Nothing for an address
/// of this machine itself: who comes from there is known better by the address.
[[nodiscard]] std::optional<std::string> host_in(std::string_view hosts, std::string_view address);

/// Tells names by the labels, else by /etc/hosts, which is read again when it has changed.
class HostNames {
  public:
    /// More of the file is not read.
    static constexpr std::size_t most_bytes = 4 * 1024 * 1024;
    /// So many answers are remembered.
    static constexpr std::size_t most_known = 256;

    explicit HostNames(std::string hosts_path = "/etc/hosts")
        : hosts_path_(std::move(hosts_path)) {}

    void apply(Labels labels) { labels_ = std::move(labels); }

    /// The name of the client at `address`, escaped; empty if it has none.
    [[nodiscard]] std::string of_client(const std::string& address) const;
    /// What the user has called the agent at `path`, escaped; empty if nothing.
    [[nodiscard]] std::string of_socket(const std::string& path) const;

  private:
    std::string in_hosts(const std::string& address) const;

    std::string hosts_path_;
    Labels labels_;
    mutable std::optional<FileVersion> version_; // of the file that the names below are from
    mutable std::map<std::string, std::string> known_;
};

} // namespace livesock

#include "supervisor/upstream/host_names.hpp"

#include "supervisor/base/escape.hpp"

#include <algorithm>
#include <filesystem>

namespace livesock {
namespace {

constexpr std::size_t longest_name = 64;

std::string_view cut_word(std::string_view& line) {
    constexpr std::string_view blanks = " \t\r";
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const std::size_t end = std::min(line.find_first_of(blanks), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

bool is_loopback(std::string_view address) {
    return address.starts_with("127.") || address == "::1";
}

} // namespace

std::optional<std::string> host_in(std::string_view hosts, std::string_view address) {
    // A zone (fe80::1%eth0) is this machine's affair.
    address = address.substr(0, address.find('%'));
    if (address.empty() || is_loopback(address))
        return std::nullopt;
    while (!hosts.empty()) {
        const std::size_t end = std::min(hosts.find('\n'), hosts.size());
        std::string_view line = hosts.substr(0, end);
        hosts.remove_prefix(std::min(end + 1, hosts.size()));
        line = line.substr(0, line.find('#'));
        if (cut_word(line) != address)
            continue;
        if (const std::string_view name = cut_word(line); !name.empty())
            return std::string(name);
    }
    return std::nullopt;
}

std::string HostNames::of_client(const std::string& address) const {
    if (const auto label = labels_.find(address); label != labels_.end())
        return escaped(label->second, longest_name);
    return in_hosts(address);
}

std::string HostNames::of_socket(const std::string& path) const {
    const auto label = labels_.find(path);
    return label != labels_.end() ? escaped(label->second, longest_name) : std::string();
}

std::string HostNames::in_hosts(const std::string& address) const {
    const std::optional<FileVersion> version = version_of(hosts_path_);
    if (version != version_ || known_.size() >= most_known) {
        known_.clear();
        version_ = version;
    }
    if (const auto known = known_.find(address); known != known_.end())
        return known->second;
    std::error_code absent; // it may be a symlink, as on NixOS
    const std::string path = std::filesystem::canonical(hosts_path_, absent);
    const std::string hosts = read_beginning(path, most_bytes).value_or("");
    const std::string name = escaped(host_in(hosts, address).value_or(""), longest_name);
    return known_[address] = name;
}

} // namespace livesock

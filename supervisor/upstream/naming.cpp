#include "supervisor/upstream/naming.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"

#include <fmt/format.h>

namespace livesock {

Naming::Naming(std::string path, std::string label, bool is_forwarded)
    : path_(std::move(path))
    , label_(std::move(label))
    , is_forwarded_(is_forwarded) {}

const std::optional<Login>& Naming::login() const {
    if (!login_ && is_forwarded_ && pid_ != 0)
        login_ = login_of(pid_);
    return login_;
}

std::string Naming::client_name() const {
    const std::optional<Login>& from = login();
    return from && host_names_ != nullptr ? host_names_->of_client(from->client_address)
                                          : std::string();
}

std::string Naming::label() const {
    if (host_names_ != nullptr)
        if (std::string given = host_names_->of_socket(path_); !given.empty())
            return given;
    if (!label_.empty())
        return label_;
    if (const std::optional<Login>& from = login()) {
        const std::string name = client_name();
        const std::string client = name.empty()
                                       ? from->client_address
                                       : fmt::format("{} ({})", name, from->client_address);
        return from->tty.empty() ? client : fmt::format("{} on {}", client, from->tty);
    }
    const std::string program = pid_ == 0 ? std::string() : program_of(pid_);
    return program.empty() ? escaped(path_) : fmt::format("{} (pid {})", program, pid_);
}

AgentNames Naming::names(const std::vector<Identity>& identities) const {
    AgentNames names{.path = path_, .label = label(), .host = client_name()};
    if (const std::optional<Login>& from = login()) {
        names.address = from->client_address;
        names.tty = from->tty;
    }
    for (const Identity& identity : identities)
        names.keys.insert(names.keys.end(), {fingerprint(identity.blob), identity.comment});
    return names;
}

} // namespace livesock

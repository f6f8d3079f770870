#include "supervisor/proxy/merged_list.hpp"

#include "supervisor/agent/wire.hpp"

#include <algorithm>

namespace livesock {
namespace {

/// The type and the count stand before the identities; each has two lengths.
constexpr std::size_t head_size = 1 + 4;
constexpr std::size_t lengths_size = 4 + 4;

} // namespace

void MergedList::add(std::uint64_t agent, std::vector<Identity> identities) {
    has_answers_ = true;
    for (Identity& identity : identities) {
        const std::size_t size = lengths_size + identity.blob.size() + identity.comment.size();
        if (agent_of(identity.blob) || entries_.size() >= most_identities ||
            head_size + size_ + size > longest_message)
            continue;
        size_ += size;
        entries_.push_back({std::move(identity), agent});
    }
}

std::string MergedList::frame() const {
    std::vector<Identity> identities;
    for (const Entry& entry : entries_)
        identities.push_back(entry.identity);
    return identities_frame(identities);
}

std::optional<std::uint64_t> MergedList::agent_of(std::string_view blob) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.identity.blob == blob;
    });
    return found == entries_.end() ? std::nullopt : std::optional(found->agent);
}

} // namespace livesock

#include "supervisor/upstream/spare_connection.hpp"

namespace livesock {

void SpareConnection::keep(UniqueFd connection) {
    ended_ = {};
    connection_ = std::move(connection);
    // Nobody has asked anything: whatever there is to read, this connection is of no use.
    ended_ = loop_.on_readable(connection_.get(), [this] { drop(); });
    ended_.resume();
}

UniqueFd SpareConnection::take() {
    ended_.pause();
    return std::move(connection_);
}

} // namespace livesock

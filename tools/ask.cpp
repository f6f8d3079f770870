#include "tools/ask.hpp"

#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/supervisor_commands.hpp"

namespace livesock {

Result<ControlAnswer> ask_running(const ControlRequest& request) {
    Result<ControlClient> client = find_supervisor();
    return client ? client->ask(request) : client.error();
}

int refused(const ControlAnswer& answer) {
    return complain(Error{answer.error}, exit_no);
}

} // namespace livesock

#include "tools/why_command.hpp"

#include "tools/ask.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/phrases.hpp"
#include "tools/supervisor_commands.hpp"
#include "tools/why_text.hpp"

#include <ctime>

#include <fmt/format.h>

namespace livesock {

int why_command(bool json) {
    Result<ControlClient> client = find_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    const Result<ControlAnswer> failures = client->ask({.command = "failures"});
    if (!failures)
        return complain(failures.error(), exit_unusable);
    if (!failures->ok)
        return refused(*failures);
    if (json) {
        fmt::print("{}", pretty(*failures));
        return exit_done;
    }
    const Result<ControlAnswer> status = client->ask({.command = "status"});
    if (!status)
        return complain(status.error(), exit_unusable);
    const WhyContext context{std::time(nullptr), login_command(), read_status(*status)};
    fmt::print("{}", why_text(read_failures(*failures), context, view_of_stdout()));
    return exit_done;
}

} // namespace livesock

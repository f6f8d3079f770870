#include "supervisor/proxy/wait_command.hpp"

#include "supervisor/base/log.hpp"

namespace livesock {

void WaitCommand::run(const std::string& command, const WaitingSign& sign) {
    if (running_ >= most_running) {
        log::warning("policy.on_wait is not run: {} of its commands have not ended", running_);
        return;
    }
    // What it prints is for nobody: an agent's comment could be in it, and the log is ours.
    Program program{.words = {"/bin/sh", "-c", command}, .environment = environment_of_children()};
    program.environment.insert(program.environment.end(),
                               {"LIVESOCK_KEY=" + sign.key, "LIVESOCK_COMMENT=" + sign.comment,
                                "LIVESOCK_PROGRAM=" + sign.program,
                                "LIVESOCK_PID=" + std::to_string(sign.pid)});
    const Result<pid_t> started = children_.start(program, [this](int status) {
        --running_;
        if (status != 0)
            log::warning("the command of policy.on_wait {}", describe_end(status));
    });
    if (started)
        ++running_;
    else
        log::warning("policy.on_wait is not run: {}", started.error().message);
}

} // namespace livesock

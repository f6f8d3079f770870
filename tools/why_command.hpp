// why: what the requests that failed last have failed on.
#pragma once

namespace livesock {

/// Prints the stories, or with `json` the supervisor's answer; returns an exit status.
int why_command(bool json);

} // namespace livesock

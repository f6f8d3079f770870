// log: the supervisor's log, as it is and as it grows.
#pragma once

namespace livesock {

/// Prints the log, and with `follow` what is added to it, across rotations, until interrupted or
/// until nobody reads standard output any more. Works without a supervisor: that is when people
/// want to know.
int log_command(bool follow);

} // namespace livesock

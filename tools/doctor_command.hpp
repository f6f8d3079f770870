// doctor: what is wrong, and what to type.
#pragma once

namespace livesock {

/// Examines everything and prints the findings; returns exit_no if anything is wrong.
int doctor_command(bool json);

} // namespace livesock

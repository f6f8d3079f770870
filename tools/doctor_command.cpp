#include "tools/doctor_command.hpp"

#include "tools/doctor_collect.hpp"
#include "tools/doctor_text.hpp"
#include "tools/exit_status.hpp"

#include <fmt/format.h>

namespace livesock {

int doctor_command(bool json) {
    const std::vector<Finding> findings = examine(collect_facts());
    fmt::print("{}", json ? doctor_json(findings) : doctor_text(findings, view_of_stdout()));
    return is_healthy(findings) ? exit_done : exit_no;
}

} // namespace livesock

// What `status` and `list` show to a person. Pure functions of the supervisor's answers.
#pragma once

#include "tools/answers.hpp"
#include "tools/print.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace livesock {

/// What is known about the shell that asks.
struct ThisShell {
    std::int64_t now = 0;       ///< seconds since the epoch
    bool uses_agent = false;    ///< what is started here reaches the live agent
    std::string own_agent = {}; ///< else the agent of the user's own choice that it reaches, if any
    bool uses_login = false;    ///< else that of its login, and the live one when that has ended
};

/// First a sentence that says whether things work and, if not, what to do; then a table of the
/// agents, and of the stand-ins if there are any; then what the supervisor has done.
[[nodiscard]] std::string status_text(const StatusReport& report, const View& view,
                                      const ThisShell& here);

/// The first sentence of it, in its colour.
[[nodiscard]] std::string verdict_text(const StatusReport& report, const View& view);

/// What is waited for; or, when that is there, the first sentence.
[[nodiscard]] std::string waiting_text(const StatusReport& report, const View& view);

/// The table of stand-ins.
[[nodiscard]] std::string stand_ins_text(const StatusReport& report, const View& view);

/// What `use` has chosen for the word `wanted`, and among which if it fits several.
[[nodiscard]] std::string choice_text(const std::string& wanted, const ChoiceReport& choice,
                                      const View& view);

/// One line an identity, as long as it is: fingerprint, type, comment, agent.
[[nodiscard]] std::string identities_text(const std::vector<IdentityReport>& identities);

/// One line a path: what was done about it and why.
[[nodiscard]] std::string healing_text(const std::vector<HealReport>& healing, const View& view);

} // namespace livesock

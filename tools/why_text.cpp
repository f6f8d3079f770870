#include "tools/why_text.hpp"

#include "supervisor/base/escape.hpp"
#include "tools/phrases.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace livesock {
namespace {

/// Further ones are told with --json.
constexpr std::size_t most_stories = 5;

/// An answer that comes sooner is one at once.
constexpr double at_once_seconds = 0.1;

/// What a request has failed for.
enum class Fault {
    no_agent, ///< there was none to ask
    silence,  ///< agents were asked, and the last of them does not answer
    end,      ///< the last of them has ended
    policy,   ///< the configuration forbids it
    crowd,    ///< all connections to the agent were in use
    other,
};

Fault fault_of(const FailureReport& failed) {
    if (failed.cause.find("policy.") != std::string::npos)
        return Fault::policy;
    if (failed.cause.find("max_upstreams") != std::string::npos)
        return Fault::crowd;
    if (failed.attempts.empty())
        return failed.cause.find("no agent") != std::string::npos ? Fault::no_agent : Fault::other;
    const std::string& state = failed.attempts.back().state;
    if (state == "late" || state == "hung")
        return Fault::silence;
    return state == "dead" ? Fault::end : Fault::other;
}

/// Failures in a row that tell the same.
struct Story {
    const FailureReport* latest;
    std::int64_t times = 1;
    std::int64_t first_time = 0;
};

bool tell_the_same(const FailureReport& one, const FailureReport& other) {
    ClientReport who = one.client;
    who.pid = other.client.pid;
    return one.request == other.request && one.cause == other.cause && who == other.client &&
           one.attempts == other.attempts;
}

/// Whether what the client wanted has failed later on: ssh(1) binds its connection first, and asks
/// then, whatever came of that. `failures` are the latest first.
bool is_prelude(const FailureReport& failed, const std::vector<FailureReport>& failures) {
    if (failed.request != "session-bind" || failed.client.pid <= 0)
        return false;
    const auto end = failures.begin() + (&failed - failures.data());
    return std::any_of(failures.begin(), end, [&](const FailureReport& later) {
        return later.client == failed.client && later.request != failed.request;
    });
}

std::vector<Story> stories_of(const std::vector<FailureReport>& failures) {
    std::vector<Story> stories;
    for (const FailureReport& failed : failures) {
        if (is_prelude(failed, failures))
            continue;
        if (stories.empty() || !tell_the_same(*stories.back().latest, failed))
            stories.push_back({&failed});
        else
            ++stories.back().times;
        stories.back().first_time = failed.time;
    }
    return stories;
}

std::string wish_of(const std::string& request) {
    if (request == "sign")
        return "wanted a signature";
    if (request == "list")
        return "wanted the list of keys";
    if (request == "session-bind")
        return "wanted to bind its connection to a host";
    if (request == "query")
        return "wanted to know what the agent can do";
    return "wanted to change what the agent holds";
}

std::string in_a_sentence(std::int64_t seconds) {
    return seconds <= 0 ? "just now" : seconds_text(seconds) + " ago";
}

/// The same as the beginning of one.
std::string ago(std::int64_t seconds) {
    return seconds <= 0 ? "Just now" : in_a_sentence(seconds);
}

std::string wait_text(double seconds) {
    if (!std::isfinite(seconds) || seconds < at_once_seconds)
        return "at once";
    return "after " + milliseconds_text(seconds * 1000);
}

std::string what_happened(const Story& story, const WhyContext& context, const View& view) {
    const FailureReport& failed = *story.latest;
    const std::string pid =
        failed.client.pid > 0 ? fmt::format(" (pid {})", failed.client.pid) : "";
    std::string text =
        fmt::format("{}, {}{} {} and got a failure {}", ago(context.now - failed.time),
                    client_called(failed.client, view), pid, wish_of(failed.request),
                    wait_text(failed.waited_seconds));
    if (story.times > 1)
        text += fmt::format(", the last of {} times within {}", story.times,
                            seconds_text(context.now - story.first_time));
    return text + '.';
}

/// "It closed the connection" of "it closed the connection".
std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
        text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

std::string attempt_text(const FailureReport::Attempt& attempt, const View& view) {
    const bool has_name = !attempt.label.empty() && attempt.label != attempt.path;
    const std::string name = has_name ? "of " + shown(attempt.label, 2 * longest_label) + ' ' : "";
    return fmt::format("Asked the agent {}at {}: {}; it was {} then.", name,
                       shown_path(view, attempt.path), escaped(attempt.outcome),
                       shown(attempt.state, longest_label));
}

std::string cause_text(const FailureReport& failed) {
    std::string cause = capital(escaped(failed.cause));
    // The supervisor's own advice gives way to ours.
    if (fault_of(failed) == Fault::no_agent)
        cause = cause.substr(0, cause.find(':'));
    return cause + '.';
}

struct Advice {
    std::string text;
    std::string command;
};

std::string configuration(const WhyContext& context, const View& view) {
    return context.status.config ? shown_path(view, *context.status.config)
                                 : "~/.config/livesock/livesock.toml";
}

/// Whether the last agent that was asked is one that the user has said how to reach.
bool is_upstream(const FailureReport& failed, const WhyContext& context) {
    const auto& agents = context.status.agents;
    return !failed.attempts.empty() &&
           std::any_of(agents.begin(), agents.end(), [&](const AgentReport& agent) {
               return agent.upstream && agent.path == failed.attempts.back().path;
           });
}

/// What is to be done about an agent that there was not, or that did not answer.
Advice about_agents(Fault fault, const FailureReport& failed, const WhyContext& context) {
    if (const AgentReport* const used = used_agent(context.status))
        return {fmt::format("Requests go to {} now: try again. This says how it is:",
                            agent_called(*used)),
                "livesock status"};
    if (is_upstream(failed, context))
        return {
            "That is an upstream of your configuration: livesock has to run on that machine, and "
            "an agent to be live there. There, this says how it is:",
            "livesock status"};
    if (fault == Fault::silence)
        return {"Its computer sleeps, or its network is gone. Wake it up, or log in again from a "
                "computer with your keys:",
                context.login};
    if (fault == Fault::end)
        return {"No other is live now. Log in from a computer with your keys:", context.login};
    return {"That is still so. Log in from a computer with your keys:", context.login};
}

Advice advice(const FailureReport& failed, const WhyContext& context, const View& view) {
    const Fault fault = fault_of(failed);
    switch (fault) {
    case Fault::no_agent:
    case Fault::silence:
    case Fault::end:
        return about_agents(fault, failed, context);
    case Fault::policy:
        return {fmt::format("Your configuration says so. To allow it, change {} in {}, then:",
                            shown(failed.cause.substr(failed.cause.find("policy.")), longest_label),
                            configuration(context, view)),
                "livesock reload"};
    case Fault::crowd:
        return {fmt::format("Allow more of them: raise proxy.max_upstreams in {}, then:",
                            configuration(context, view)),
                "livesock reload"};
    case Fault::other:
        return {"The log tells what came before and after:", "livesock log"};
    }
    return {};
}

std::string story_text(const Story& story, const WhyContext& context, const View& view) {
    std::string text = wrapped(what_happened(story, context, view), 0, view.width);
    for (const FailureReport::Attempt& attempt : story.latest->attempts)
        text += wrapped(attempt_text(attempt, view), 2, view.width);
    if (story.latest->attempts.empty())
        text += wrapped(cause_text(*story.latest), 2, view.width);
    const Advice next = advice(*story.latest, context, view);
    return text + wrapped(next.text, 2, view.width) + command_line(next.command, view);
}

} // namespace

std::string why_text(const std::vector<FailureReport>& failures, const WhyContext& context,
                     const View& view) {
    if (failures.empty())
        return wrapped(fmt::format("No request has failed since the supervisor was started, {}. "
                                   "If something does not work all the same:",
                                   in_a_sentence(context.status.uptime_seconds)),
                       0, view.width) +
               command_line("livesock doctor", view);
    const std::vector<Story> stories = stories_of(failures);
    std::string text;
    for (std::size_t i = 0; i < std::min(stories.size(), most_stories); ++i)
        text += (i > 0 ? "\n" : "") + story_text(stories[i], context, view);
    if (stories.size() > most_stories)
        text += '\n' +
                wrapped(fmt::format("There are {} earlier ones:", stories.size() - most_stories), 0,
                        view.width) +
                command_line("livesock why --json", view);
    return text;
}

} // namespace livesock

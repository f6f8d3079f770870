#include "tools/watch_text.hpp"

#include "supervisor/base/escape.hpp"
#include "tools/phrases.hpp"
#include "tools/report_text.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace livesock {
namespace {

/// Below this width columns are left out.
constexpr std::size_t narrow = 80;

/// So many users of an agent are named, and so many requests shown where there is no end of rows.
constexpr std::size_t most_watched_users = 3;
constexpr std::size_t most_requests = 10;

constexpr std::size_t watched_label = 2;

struct Widths {
    std::size_t label;
    std::size_t spark;
    std::size_t who;
    std::size_t agent;
};

/// `width` without what stands beside a name in the narrowest table, if that leaves enough to see.
std::size_t room_for_name(std::size_t width, std::size_t beside, std::size_t most) {
    constexpr std::size_t least = 8;
    return std::clamp(width > beside ? width - beside : 0, least, most);
}

/// Where there is little room, the agents of requests get what there is more of than at least.
Widths widths_for(const View& view) {
    if (is_wide(view))
        return {32, 16, 48, 32};
    if (view.width < narrow)
        return {room_for_name(view.width, 22, 30), 12, room_for_name(view.width, 26, 24), 18};
    const std::size_t more = std::max(view.width, narrow) - narrow;
    return {30, 12, 24 + more - std::min<std::size_t>(more, 14),
            18 + std::min<std::size_t>(more, 14)};
}

std::string clock_text(std::int64_t time, const WatchContext& context) {
    constexpr std::int64_t day = 24 * 3600;
    const std::int64_t local = ((time + context.utc_offset) % day + day) % day;
    return fmt::format("{:02}:{:02}:{:02}", local / 3600, local / 60 % 60, local % 60);
}

void append(std::vector<std::string>& lines, const std::string& text) {
    const std::vector<std::string> more = lines_of(text);
    lines.insert(lines.end(), more.begin(), more.end());
}

std::string label_of(const AgentReport& agent, const View& view, std::size_t width) {
    return is_named(agent) ? shown(agent.label, width)
                           : cut_middle(shown_path(view, agent.path), width);
}

std::string agents_text(const WatchReport& report, const View& view, const WatchContext& context) {
    const Widths widths = widths_for(view);
    Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
                 Align::left});
    table.add({{""}, {"STATE"}, {"AGENT"}, {"KEYS"}, {"SINCE"}, {"ROUND TRIP"}, {""}});
    for (const AgentReport& agent : report.status.agents) {
        table.add(
            {{agent.selected ? "*" : "", Colour::bold},
             {shown(agent.state, longest_label), colour_of(agent.state)},
             {label_of(agent, view, widths.label), agent.selected ? Colour::bold : Colour::none},
             {agent.keys ? fmt::format("{}", *agent.keys) : "-"},
             {agent.since > 0 ? seconds_text(context.now - agent.since) : "-"},
             {round_trip_text(agent)},
             {sparkline(agent.round_trips, widths.spark, context.has_blocks)}});
        if (const std::string why = state_note(agent); !why.empty())
            table.add_note(why, watched_label);
        if (const std::string users = users_note(agent, view, most_watched_users); !users.empty())
            table.add_note(users, watched_label);
    }
    constexpr std::size_t keys = 3, since = 4, round_trip = 5, spark = 6;
    table.leave_out({spark, since, keys, round_trip}, view);
    return table.text(view);
}

std::string wanted(const std::string& request) {
    if (request == "sign")
        return "signature";
    if (request == "list")
        return "keys";
    if (request == "session-bind")
        return "binding";
    return request == "query" ? "query" : "change";
}

Cell end_cell(const DoneReport& done) {
    const std::string time = milliseconds_text(done.seconds * 1000);
    if (done.end == "answered")
        return {time};
    return {done.end == "failed" ? "failed, " + time : shown(done.end, longest_label), Colour::red};
}

std::string agent_of(const DoneReport& done, const View& view, std::size_t width) {
    if (!done.label.empty() && done.label != done.agent)
        return shown(done.label, width);
    return done.agent.empty() ? "-" : cut_middle(shown_path(view, done.agent), width);
}

std::vector<Cell> request_row(const DoneReport& done, const View& view,
                              const WatchContext& context) {
    const Widths widths = widths_for(view);
    return {{clock_text(done.time, context)},
            {cut_middle(client_called(done.client, view), widths.who)},
            {wanted(done.request)},
            {agent_of(done, view, widths.agent)},
            end_cell(done)};
}

std::string requests_text(const WatchReport& report, const View& view, const WatchContext& context,
                          std::size_t most) {
    Table table({Align::left, Align::left, Align::left, Align::left, Align::left});
    table.add({{"TIME"}, {"WHO"}, {"WANTED"}, {"AGENT"}, {"TOOK"}});
    std::size_t count = 0;
    for (auto done = report.done.rbegin(); done != report.done.rend() && count++ < most; ++done)
        table.add(request_row(*done, view, context));
    constexpr std::size_t time = 0, wanted = 2, agent = 3, took = 4;
    table.leave_out({agent, time, wanted, took}, view);
    return table.text(view);
}

std::string summary(const WatchReport& report, const WatchContext& context) {
    const StatusReport& status = report.status;
    return fmt::format("{}  {}; {} answered, {} failed; up {}; q quits",
                       clock_text(context.now, context), plural(status.clients, "client"),
                       plural(status.answered, "request"), status.failed,
                       seconds_text(status.uptime_seconds));
}

/// Leaves what has room in `rows` (0: all), and says how much has not.
void shorten(std::vector<std::string>& lines, std::size_t rows) {
    if (rows == 0 || lines.size() <= rows)
        return;
    const std::string rest = fmt::format("({} more lines)", lines.size() - rows + 1);
    lines.resize(rows);
    if (rows > 1)
        lines.back() = rest;
}

const AgentReport* find(const WatchReport& report, const std::string& path) {
    for (const AgentReport& agent : report.status.agents)
        if (agent.path == path)
            return &agent;
    return nullptr;
}

bool has_stand_in(const WatchReport& report, const std::string& path) {
    const auto& all = report.status.stand_ins;
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.path == path; });
}

std::string news_figures(const AgentReport& agent) {
    if (agent.state != "live")
        return agent.reason ? ": " + escaped(*agent.reason) : "";
    return fmt::format(" ({}, {})", plural(agent.keys.value_or(0), "key"), round_trip_text(agent));
}

/// The news of one kind, each a sentence without its time.
void agent_news(const WatchReport* before, const WatchReport& report,
                std::vector<std::string>& news) {
    for (const AgentReport& agent : report.status.agents) {
        const AgentReport* const former = before != nullptr ? find(*before, agent.path) : nullptr;
        if (former == nullptr || former->state != agent.state)
            news.push_back(fmt::format("{} is {}{}", agent_called(agent),
                                       shown(agent.state, longest_label), news_figures(agent)));
    }
    if (before == nullptr)
        return;
    for (const AgentReport& former : before->status.agents)
        if (find(report, former.path) == nullptr)
            news.push_back(agent_called(former) + " is gone");
}

void choice_news(const WatchReport* before, const WatchReport& report,
                 std::vector<std::string>& news) {
    if (before != nullptr && before->status.live == report.status.live)
        return;
    const AgentReport* const used = used_agent(report.status);
    if (used != nullptr)
        news.push_back("requests go to " + agent_called(*used));
    else
        news.emplace_back("no agent is live");
}

void stand_in_news(const WatchReport* before, const WatchReport& report, const View& view,
                   std::vector<std::string>& news) {
    for (const StandInReport& stand_in : report.status.stand_ins)
        if (before == nullptr || !has_stand_in(*before, stand_in.path))
            news.push_back(fmt::format("{}, which is {}, has a stand-in",
                                       shown_path(view, stand_in.path),
                                       shown(stand_in.reason, longest_label)));
    if (before == nullptr)
        return;
    for (const StandInReport& former : before->status.stand_ins)
        if (!has_stand_in(report, former.path))
            news.push_back(shown_path(view, former.path) + " has a stand-in no longer");
}

std::string request_news(const DoneReport& done, const View& view) {
    const std::string agent = agent_of(done, view, 2 * longest_label);
    return fmt::format(
        "{}: {}, {}{}", client_called(done.client, view), wanted(done.request),
        done.end == "answered" ? "" : shown(done.end, longest_label) + ", ",
        agent == "-" ? milliseconds_text(done.seconds * 1000)
                     : fmt::format("{} of {}", milliseconds_text(done.seconds * 1000), agent));
}

} // namespace

std::string sparkline(const std::vector<double>& values, std::size_t most, bool has_blocks) {
    constexpr const char* blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                      "\u2585", "\u2586", "\u2587", "\u2588"};
    constexpr const char* plain[] = {"_", ".", "-", "=", "+", "*", "#", "@"};
    const std::size_t first = values.size() - std::min(values.size(), most);
    // A line that is even stands in the middle: its own greatest value alone would be the top.
    double top = 0;
    double least = INFINITY;
    for (std::size_t i = first; i < values.size(); ++i) {
        top = std::max(top, values[i]);
        least = std::min(least, values[i]);
    }
    top = std::max(top, 2 * least);
    std::string line;
    for (std::size_t i = first; i < values.size(); ++i) {
        const double share = top > 0 && std::isfinite(top) ? std::max(values[i], 0.0) / top : 0;
        const auto level = static_cast<std::size_t>(std::clamp(share * 8, 0.0, 7.0));
        line += has_blocks ? blocks[level] : plain[level];
    }
    return line;
}

std::vector<std::string> watch_lines(const WatchReport& report, const View& view,
                                     const WatchContext& context) {
    std::vector<std::string> lines;
    append(lines, verdict_text(report.status, view));
    const std::string counts = summary(report, context);
    append(lines, view.width > 0 && columns(counts) > view.width ? wrapped(counts, 0, view.width)
                                                                 : counts);
    if (!report.status.agents.empty()) {
        lines.emplace_back();
        append(lines, agents_text(report, view, context));
    }
    if (!report.status.stand_ins.empty()) {
        lines.emplace_back();
        append(lines, stand_ins_text(report.status, view));
    }
    constexpr std::size_t head = 2; // an empty line, and the names of the columns
    const std::size_t left =
        context.rows > lines.size() + head ? context.rows - lines.size() - head : 0;
    const std::size_t most = context.rows == 0 ? most_requests : left;
    if (!report.done.empty() && most > 0) {
        lines.emplace_back();
        append(lines, requests_text(report, view, context, most));
    }
    shorten(lines, context.rows);
    for (std::string& line : lines)
        line = clipped(line, view.width);
    return lines;
}

std::vector<std::string> problem_lines(const std::string& problem, const View& view) {
    if (problem.empty())
        return {};
    std::vector<std::string> lines = lines_of(wrapped(printable(problem), 0, view.width));
    for (std::string& line : lines)
        line = coloured(view, Colour::red, clipped(line, view.width));
    return lines;
}

std::vector<std::string> news_lines(const WatchReport* before, const WatchReport& report,
                                    const View& view, const WatchContext& context) {
    std::vector<std::string> news;
    agent_news(before, report, news);
    choice_news(before, report, news);
    stand_in_news(before, report, view, news);
    for (std::string& line : news)
        line = clock_text(context.now, context) + "  " + line;
    const std::int64_t last =
        before == nullptr || before->done.empty() || before->status.pid != report.status.pid
            ? 0
            : before->done.back().number;
    for (const DoneReport& done : report.done)
        if (before != nullptr && done.number > last)
            news.push_back(clock_text(done.time, context) + "  " + request_news(done, view));
    return news;
}

} // namespace livesock

#include "tests/bench/table.hpp"

#include <cstdio>

#include <nlohmann/json.hpp>

namespace livesock::bench {
namespace {

std::string number(const char* format, double value) {
    char text[64];
    // The formats are this file's own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    std::snprintf(text, sizeof text, format, value);
#pragma GCC diagnostic pop
    return text;
}

std::string format_time(double nanoseconds) {
    if (nanoseconds < 1e3)
        return number("%.1f ns", nanoseconds);
    if (nanoseconds < 1e6)
        return number("%.1f us", nanoseconds / 1e3);
    if (nanoseconds < 1e9)
        return number("%.2f ms", nanoseconds / 1e6);
    return number("%.2f s", nanoseconds / 1e9);
}

std::string format_bytes(double bytes) {
    if (bytes < 1024 * 1024)
        return number("%.2f KiB", bytes / 1024);
    return number("%.2f MiB", bytes / 1024 / 1024);
}

bool met(const Row& row) {
    if (!row.sound)
        return false;
    switch (row.target.bound) {
    case Bound::none:
        return true;
    case Bound::ratio_at_most:
        return row.ratio && *row.ratio <= row.target.limit;
    case Bound::ratio_at_least:
        return row.ratio && *row.ratio >= row.target.limit;
    case Bound::value_at_most:
        return row.measured.number <= row.target.limit;
    }
    return false;
}

std::string format_target(const Row& row) {
    switch (row.target.bound) {
    case Bound::none:
        return "";
    case Bound::ratio_at_most:
        return "<= " + number("%.2f", row.target.limit);
    case Bound::ratio_at_least:
        return ">= " + number("%.2f", row.target.limit);
    case Bound::value_at_most:
        return "<= " + format_value({row.target.limit, row.measured.unit});
    }
    return "";
}

std::string format_met(const Row& row) {
    if (!met(row))
        return "NO";
    return row.target.bound == Bound::none ? "" : "yes";
}

std::string format_ratio(const Row& row) {
    if (!row.ratio)
        return "";
    std::string text = number("%.2f", *row.ratio);
    if (row.low && row.high)
        text += " (" + number("%.2f", *row.low) + "-" + number("%.2f", *row.high) + ")";
    return text;
}

void print_line(const std::string& what, const std::string& measured, const std::string& direct,
                const std::string& ratio, const std::string& floor, const std::string& target,
                const std::string& verdict, const std::string& note) {
    std::printf("%-58s %11s %11s  %-17s %-6s %-12s %-4s %s\n", what.c_str(), measured.c_str(),
                direct.c_str(), ratio.c_str(), floor.c_str(), target.c_str(), verdict.c_str(),
                note.c_str());
    std::fflush(stdout);
}

nlohmann::json as_json(const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

const char* unit_name(Unit unit) {
    switch (unit) {
    case Unit::nanoseconds:
        return "ns";
    case Unit::per_second:
        return "1/s";
    case Unit::bytes:
        return "bytes";
    case Unit::percent:
        return "percent";
    case Unit::count:
        return "count";
    }
    return "";
}

nlohmann::json as_json(const Row& row) {
    nlohmann::json json = {{"what", row.what},
                           {"measured", row.measured.number},
                           {"unit", unit_name(row.measured.unit)},
                           {"ratio", as_json(row.ratio)},
                           {"ratio_low", as_json(row.low)},
                           {"ratio_high", as_json(row.high)},
                           {"relay_ratio", as_json(row.floor)},
                           {"target", format_target(row)},
                           {"note", row.note}};
    json["direct"] = row.direct ? nlohmann::json(row.direct->number) : nlohmann::json(nullptr);
    json["met"] = row.target.bound == Bound::none && row.sound ? nlohmann::json(nullptr)
                                                               : nlohmann::json(met(row));
    return json;
}

} // namespace

std::string format_value(const Value& value) {
    switch (value.unit) {
    case Unit::nanoseconds:
        return format_time(value.number);
    case Unit::per_second:
        return number("%.0f /s", value.number);
    case Unit::bytes:
        return format_bytes(value.number);
    case Unit::percent:
        return number("%.2f %%", value.number);
    case Unit::count:
        return number("%.0f", value.number);
    }
    return "";
}

Table::Table(bool json)
    : json_(json) {
    if (!json_)
        print_line("what", "measured", "direct", "ratio (quartiles)", "relay", "target", "met?",
                   "");
}

void Table::add(Row row) {
    if (!json_)
        print_line(row.what, format_value(row.measured),
                   row.direct ? format_value(*row.direct) : "", format_ratio(row),
                   row.floor ? number("%.2f", *row.floor) : "", format_target(row), format_met(row),
                   row.note);
    rows_.push_back(std::move(row));
}

void Table::add_failure(const std::string& group, const std::string& why) {
    if (!json_)
        print_line(group, "", "", "", "", "", "NO", "not measured: " + why);
    failures_.push_back({group, why});
}

bool Table::finish() {
    bool good = failures_.empty();
    nlohmann::json rows = nlohmann::json::array(), failures = nlohmann::json::array();
    for (const Row& row : rows_) {
        good = good && met(row);
        rows.push_back(as_json(row));
    }
    for (const Failed& failed : failures_)
        failures.push_back({{"group", failed.group}, {"why", failed.why}});
    if (json_)
        std::puts(nlohmann::json({{"rows", rows}, {"not_measured", failures}}).dump(2).c_str());
    return good;
}

} // namespace livesock::bench

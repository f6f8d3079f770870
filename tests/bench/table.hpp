// The one table that livesock-bench prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace livesock::bench {

/// What a number counts; decides how it is written.
enum class Unit {
    nanoseconds,
    per_second,
    bytes,
    percent,
    count,
};

struct Value {
    double number = 0;
    Unit unit = Unit::count;
};

/// What a row is judged by.
enum class Bound {
    none,           ///< shown to be informed by; nothing to reach
    ratio_at_most,  ///< the row's ratio
    ratio_at_least, ///< the row's ratio
    value_at_most,  ///< the measured value, in its own unit
};

struct Target {
    Bound bound = Bound::none;
    double limit = 0;
};

/// One line of the table. `ratio` is the measured value over the direct one.
struct Row {
    std::string what;
    Value measured;
    std::optional<Value> direct = std::nullopt;
    std::optional<double> ratio = std::nullopt;
    std::optional<double> low = std::nullopt;   ///< spread of the ratio: its lower quartile
    std::optional<double> high = std::nullopt;  ///< and its upper quartile
    std::optional<double> floor = std::nullopt; ///< the bare relay's ratio in the same rounds
    Target target = {};
    bool sound = true; ///< false: something besides the number went wrong; never met
    std::string note = "";
};

/// Collects rows; prints each as soon as it is there, or all of them as JSON at the end.
class Table {
  public:
    /// With `json`, nothing is printed before finish().
    explicit Table(bool json);

    void add(Row row);

    /// Notes that the rows of `group` could not be measured, and why.
    void add_failure(const std::string& group, const std::string& why);

    /// Prints what is left to print. Returns whether every target was met and nothing failed.
    bool finish();

  private:
    struct Failed {
        std::string group;
        std::string why;
    };

    bool json_;
    std::vector<Row> rows_;
    std::vector<Failed> failures_;
};

/// `value` for a person: "12.3 us", "31200 /s", "1.4 MiB", "3.1 %".
[[nodiscard]] std::string format_value(const Value& value);

} // namespace livesock::bench

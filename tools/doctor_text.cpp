#include "tools/doctor_text.hpp"

#include "tools/json_members.hpp"
#include "tools/phrases.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace livesock {
namespace {

constexpr std::size_t mark_width = 5;
constexpr std::size_t check_width = 13;

std::string_view mark_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::good:
        return "ok";
    case Verdict::bad:
        return "BAD";
    case Verdict::none:
        return "-";
    }
    return {};
}

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::good:
        return "ok";
    case Verdict::bad:
        return "problem";
    case Verdict::none:
        return "none";
    }
    return {};
}

Colour verdict_colour(Verdict verdict) {
    switch (verdict) {
    case Verdict::good:
        return Colour::green;
    case Verdict::bad:
        return Colour::red;
    case Verdict::none:
        return Colour::none;
    }
    return Colour::none;
}

std::string padded(std::string_view text, std::size_t width) {
    return std::string(text) + std::string(width - std::min(width, columns(text)), ' ');
}

std::string finding_text(const Finding& finding, const View& view) {
    constexpr std::size_t indent = mark_width + check_width;
    const std::string mark(mark_of(finding.verdict));
    // The colour takes no columns, and so must not be there when lines are broken.
    std::string text = wrapped(finding.text, indent, view.width).substr(indent);
    text = coloured(view, verdict_colour(finding.verdict), mark) +
           std::string(mark_width - mark.size(), ' ') + padded(finding.check, check_width) + text;
    if (finding.remedy.empty())
        return text;
    return text + std::string(mark_width, ' ') + padded("type:", check_width) +
           coloured(view, Colour::bold, finding.remedy) + '\n';
}

std::string verdict_text(const std::vector<Finding>& findings) {
    const auto wrong = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.verdict == Verdict::bad;
    });
    if (wrong == 0)
        return "Nothing is wrong.";
    return wrong == 1 ? "One thing is wrong. To cure it, type what stands below it."
                      : fmt::format("{} things are wrong. To cure each, type what stands below it.",
                                    wrong);
}

} // namespace

std::string doctor_text(const std::vector<Finding>& findings, const View& view) {
    const Colour colour = is_healthy(findings) ? Colour::green : Colour::red;
    std::string text = coloured(view, colour, verdict_text(findings)) + "\n\n";
    for (const Finding& finding : findings)
        text += finding_text(finding, view);
    return text;
}

std::string doctor_json(const std::vector<Finding>& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings)
        list.push_back({{"check", finding.check},
                        {"verdict", name_of(finding.verdict)},
                        {"text", finding.text},
                        {"remedy", finding.remedy.empty() ? Json(nullptr) : Json(finding.remedy)}});
    return pretty(Json{{"healthy", is_healthy(findings)}, {"findings", std::move(list)}});
}

} // namespace livesock

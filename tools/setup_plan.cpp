#include "tools/setup_plan.hpp"

#include "supervisor/base/escape.hpp"

#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

std::string about(const std::string& path, const std::string& what) {
    return fmt::format("{}: {}", escaped(path), what);
}

std::string by_hand(const std::string& path, const Section& section, const std::string& why) {
    std::string out = about(path, why + ", so it is left alone. It needs");
    for (const std::string& line : section.lines)
        if (!line.starts_with('#'))
            out += "\n    " + line;
    return out;
}

std::string remark_on(const PlannedFile& planned, const std::string& text) {
    const std::optional<std::size_t> line =
        planned.is_for_shell ? line_that_leaves(text) : std::nullopt;
    if (!line)
        return {};
    return fmt::format("line {} may become another program before the section is reached: see "
                       "whether it has to stand above that",
                       *line);
}

void plan_file(Plan& plan, const PlannedFile& planned) {
    const auto obstacle = [&](const std::string& why) {
        plan.obstacles.push_back(by_hand(planned.path, planned.section, why));
    };
    const Result<SetupFile> file = read_setup_file(planned.path);
    if (!file)
        return obstacle(file.error().message);
    const std::string text = file->text.value_or("");
    if (is_set_up_by_hand(text) && !has_section(text)) {
        plan.remarks.push_back(about(planned.path, "calls 'livesock env' already"));
        return;
    }
    const auto made = file->text ? std::nullopt : std::optional(NewFile{file->missing_directories});
    const Result<std::string> wanted = with_section(text, planned.section, made);
    if (!wanted)
        return obstacle(wanted.error().message);
    if (file->text && *wanted == text) {
        const std::string remark = remark_on(planned, text);
        plan.remarks.push_back(
            about(planned.path, remark.empty() ? "is set up" : "is set up, but " + remark));
        return;
    }
    if (const Result<void> usable = check_replaceable(*file); !usable)
        return obstacle(usable.error().message);
    plan.changes.push_back({*file, *wanted, 0, !has_section(text), remark_on(planned, *wanted)});
}

void plan_undo_of(Plan& plan, const std::string& path) {
    const Result<SetupFile> file = read_setup_file(path);
    if (!file && file.error().code == EACCES)
        plan.obstacles.push_back(about(path, file.error().message + ": its section may stay"));
    if (!file || !file->text || !has_section(*file->text))
        return;
    const Result<Removed> removed = without_section(*file->text);
    const Result<void> usable = removed ? check_replaceable(*file) : removed.error();
    if (!usable) {
        plan.obstacles.push_back(about(path, usable.error().message + ": its section stays"));
        return;
    }
    Change change{.file = *file, .text = removed->text, .remark = {}};
    // A file that is a symlink now is somebody's, whoever made it.
    if (removed->made && !file->is_link()) {
        change.text.reset();
        change.directories = removed->made->directories;
    }
    plan.changes.push_back(std::move(change));
}

} // namespace

Plan plan_setup(const std::vector<Part>& parts, const Surroundings& around) {
    Plan plan;
    for (const Part part : parts) {
        const Result<std::vector<PlannedFile>> files = planned_files(part, around);
        if (!files)
            plan.obstacles.push_back(
                fmt::format("{}: {}", name_of(part), escaped(files.error().message)));
        else
            for (const PlannedFile& file : *files)
                plan_file(plan, file);
    }
    return plan;
}

Plan plan_undo(const std::vector<Part>& parts, const Surroundings& around) {
    Plan plan;
    for (const Part part : parts)
        for (const std::string& path : possible_files(part, around))
            plan_undo_of(plan, path);
    return plan;
}

} // namespace livesock

#include "tests/bench/options.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <getopt.h>

namespace livesock::bench {
namespace {

constexpr char usage[] =
    "usage: livesock-bench [--quick] [--only NAME]... [--relay] [--json] [--list] [--first]\n"
    "                      [--livesockd FILE] [--shim FILE]\n"
    "Measures livesock against a direct connection to a real ssh-agent and prints one table.\n"
    "  --quick        fewer rounds: about a minute, less to be relied on\n"
    "  --only NAME    only the groups of rows whose name holds NAME; may be repeated\n"
    "  --relay        a bare byte relay in livesockd's place: the floor of any proxy\n"
    "  --first        ahead of whatever else this machine does (root only): for busy machines\n"
    "  --json         one JSON object at the end in place of the table\n"
    "  --list         the names of the groups\n"
    "  --livesockd FILE, --shim FILE   others than those of this build tree\n"
    "Exit status: 0 every target met, 1 not, 2 wrong words.\n";

enum Word : int {
    quick = 'q',
    only = 'o',
    relay = 'r',
    first = 'f',
    json = 'j',
    list = 'l',
    livesockd = 'd',
    shim = 's',
    help = 'h'
};

const option words[] = {{"quick", no_argument, nullptr, quick},
                        {"only", required_argument, nullptr, only},
                        {"relay", no_argument, nullptr, relay},
                        {"first", no_argument, nullptr, first},
                        {"json", no_argument, nullptr, json},
                        {"list", no_argument, nullptr, list},
                        {"livesockd", required_argument, nullptr, livesockd},
                        {"shim", required_argument, nullptr, shim},
                        {"help", no_argument, nullptr, help},
                        {nullptr, 0, nullptr, 0}};

} // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    options.programs = Programs::in_build_tree();
    for (int word = 0; (word = getopt_long(argc, argv, "", words, nullptr)) != -1;) {
        switch (word) {
        case quick:
            options.quick = true;
            break;
        case only:
            options.only.emplace_back(optarg);
            break;
        case relay:
            options.relay = true;
            break;
        case first:
            options.precedence = true;
            break;
        case json:
            options.json = true;
            break;
        case list:
            options.list = true;
            break;
        case livesockd:
            options.programs.livesockd = optarg;
            break;
        case shim:
            options.programs.shim = optarg;
            break;
        case help:
            std::fputs(usage, stdout);
            std::exit(0);
        default:
            std::fputs(usage, stderr);
            std::exit(2);
        }
    }
    if (optind != argc) {
        std::fprintf(stderr, "livesock-bench: what is '%s'?\n%s", argv[optind], usage);
        std::exit(2);
    }
    return options;
}

bool wanted(const Options& options, const std::string& name) {
    return options.only.empty() ||
           std::any_of(options.only.begin(), options.only.end(), [&](const std::string& part) {
               return name.find(part) != std::string::npos;
           });
}

} // namespace livesock::bench

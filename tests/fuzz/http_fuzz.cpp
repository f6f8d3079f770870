// Whatever is sent to an HTTP listener, in whatever pieces: the parser makes the same of it, and of
// bodies no more than their requests say.
#include "supervisor/http/request_parser.hpp"

#include <cstdint>
#include <cstdlib>

using namespace livesock;
using Step = RequestParser::Step;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

void check_head(const HttpRequest& request) {
    require(request.path.starts_with('/'));
    require(request.headers.size() <= most_http_headers);
    require(request.header("host") != nullptr);
    require(!request.is_chunked || !request.content_length);
    bool is_malformed = false;
    static_cast<void>(query_parameter(request.query, "key", is_malformed));
}

/// What a parser makes of `input` in pieces of `size`, as text.
std::string parsed(std::string_view input, std::size_t size) {
    RequestParser parser;
    std::string told;
    std::size_t body = 0;
    while (!input.empty()) {
        std::string_view piece = input.substr(0, size);
        input.remove_prefix(piece.size());
        for (Step step = Step::head; step != Step::more;) {
            step = parser.next(piece);
            if (step == Step::head) {
                check_head(parser.request());
                told += "head " + parser.request().method + ' ' + parser.request().path + '\n';
                body = 0;
            } else if (step == Step::body) {
                body += parser.piece().size();
                told += parser.piece();
                require(!parser.request().content_length ||
                        body <= *parser.request().content_length);
            } else if (step == Step::complete) {
                told += "\ncomplete\n";
                require(parser.request().is_chunked ||
                        body == parser.request().content_length.value_or(0));
            } else if (step == Step::malformed) {
                return told + "\nmalformed";
            }
        }
        require(piece.empty());
    }
    return told;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string whole = parsed(input, std::string_view::npos);
    require(parsed(input, 1) == whole);
    require(parsed(input, 5) == whole);
    return 0;
}

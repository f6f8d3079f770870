#include "tools/setup_placement.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

/// `text` with a '^' where a section goes.
std::string marked(std::string text, Placement placement = Placement::before_exec) {
    const std::vector<Line> lines = line_spans_of(text);
    const std::size_t at = line_for(lines, placement);
    return text.insert(at < lines.size() ? lines[at].begin : text.size(), "^");
}

/// A section goes where the '^' of `expected` is.
void check_placed(const std::string& expected) {
    CAPTURE(expected);
    std::string text = expected;
    std::erase(text, '^');
    CHECK(marked(text) == expected);
}

} // namespace

TEST_CASE("a section stands before a last statement that becomes another program") {
    for (const char* text : {
             "^exec zsh",
             "a\n^exec zsh -l\n",
             "a\n^[ -t 0 ] && exec fish\n\n# the end\n",
             "a\n^if true; then exec zsh; fi\n",
             "a\n^if ( $?prompt ) exec zsh\n",
             "a\n^case $- in *i*) exec zsh;; esac\n",
             "a\r\n^exec zsh\r\n",
             "a\n^exec -l \"$SHELL\"\n",
             "a\n^exec\tzsh\n",
             "a # it's so\nb=${#c} # {\n^exec zsh # isn't it\n",
             "case a in\n  a) b ;;\nesac\nf() {\n  while g; do (h); done\n}\n^exec zsh\n",
         })
        check_placed(text);
}

TEST_CASE("it stands before a last block in which something becomes another program") {
    for (const char* text : {
             "a\n^if [ -t 0 ]; then\n  exec zsh\nfi\n",
             "a\n^if [ -t 0 ]\nthen\n  exec zsh\nelse\n  b\nfi # so\n",
             "a\n^if b; then\nif c; then\nexec zsh\nfi\nfi\n",
             "a\n^if b\nthen exec zsh; fi\n",
             "a\n^if b; then\n  # it's better\n  exec zsh\n\nelif c; then\n  d\nfi\n",
             "if b; then\n  c\nfi\n^if d; then\n  if e; then f; fi\n  exec zsh\nfi\n",
             "a\n^case $- in\n  *i*) exec zsh ;;\nesac\n",
             "a\n^if (b); then\n  exec zsh\nfi\n",
             "a\n^if ( $?prompt ) then\n  if ( $?b ) exec c\n  exec zsh\nelse if ( $?d ) then\n  "
             "e\n"
             "endif\n",
             "a\r\n^if b; then\r\n  exec zsh\r\nfi\r\n",
         })
        check_placed(text);
}

TEST_CASE("it stands before the first line of a statement of several lines") {
    for (const char* text : {
             "a\n^[ -t 0 ] &&\n  exec zsh\n",
             "a\n^b \\\n  && exec zsh\n",
             "a\n^b ||\nexec zsh \\\n  -l\n",
             "a\n^hello()\n{ exec zsh; }\n",
             "a\n^hello()\n# b\nif c; then exec zsh; fi\n",
             "a\n^[ -t 0 ] && # interactive\nexec zsh\n",
             "a\n^[ -t 0 ] &&\n# interactive\n\nexec zsh\n",
         })
        check_placed(text);
}

TEST_CASE("it stands before all the last statements that become another program") {
    check_placed("a\n^if b; then\n  exec c\nfi\n\n[ -t 0 ] && exec zsh\nexec sh\n");
}

TEST_CASE("it stands before a last line that ends the script") {
    for (const char* text : {"a\n^exit 0\n", "a\n^exit\n", "a\n^return\n"})
        check_placed(text);
}

TEST_CASE("the comment above what a section stands before belongs to it, but for the first line") {
    check_placed("a\n\n^# the better one\n# of two\nexec zsh\n");
    check_placed("#!/bin/sh\n^# the better one\nexec zsh\n");
    check_placed("#!/bin/sh\n^exec zsh\n");
}

TEST_CASE("a line that looks like a comment is none within quotes") {
    check_placed("PS1='\n# '\n^exec tmux\n");
    check_placed("PS1=\"\n# \\\"\n# \"\n^exec tmux\n");
    CHECK(marked("set -g a '\n# '\nrun ~/tpm/tpm\n", Placement::before_plugins) ==
          "set -g a '\n# '\n^run ~/tpm/tpm\n");
}

TEST_CASE("what tmux takes for plain characters does not keep it from the plugin manager") {
    CHECK(marked("bind ( switch-client -p\nbind \\' a\n# b\nrun ~/tpm/tpm\n",
                 Placement::before_plugins) ==
          "bind ( switch-client -p\nbind \\' a\n^# b\nrun ~/tpm/tpm\n");
}

TEST_CASE("it stands at the end where no end of a statement is certain") {
    for (const char* text : {
             "exec zsh\na\n^",
             "if a; then\n  exec zsh\nfi\nb\n^",
             "if a; then\n  b\nfi\n^",
             "exec 2>/dev/null\n^",
             "exec >log\n^",
             "exec {fd}<x\n^",
             "# exec zsh\n^",
             "myexec zsh\n^",
             "  exec zsh\n^",
             "a() {\n  exec zsh\n}\n^",
             "while a; do\n  exec zsh\ndone\n^",
             "x='\nexec zsh'\n^",
             "x=\"if a\n  exec zsh\nfi\"\n^",
             "exec zsh\nfi\n^",
             "  if a; then\n    exec zsh\n  fi\n^",
             "if (( a ))\nthen\n  exec zsh\nfi\n^",
             "cat <<E\nexec zsh\nE\n^",
             "function hello\n{ exec zsh; }\n^",
             "go() { # start\nexec zsh; }\n^",
             "for x in 1\ndo exec zsh; done\n^",
             "until true; do a\nexec zsh; done\n^",
             "while a; do\n  echo done\nexec zsh; done\n^",
             "x=(a\nexec b)\n^",
             "x=`a\nexec b`\n^",
             "f() { case a in a) b ;; esac\nexec c; }\n^",
             "exec zsh\nx='\n^",
         })
        check_placed(text);
}

TEST_CASE("without what a section has to stand before it stands at the end") {
    for (const char* text : {"^", "a^", "a\n^", "\n\n^", "# a\n^"})
        for (const Placement placement :
             {Placement::end, Placement::before_exec, Placement::before_plugins}) {
            std::string bare(text);
            std::erase(bare, '^');
            CHECK(marked(bare, placement) == text);
        }
    CHECK(marked("exec zsh\n", Placement::end) == "exec zsh\n^");
}

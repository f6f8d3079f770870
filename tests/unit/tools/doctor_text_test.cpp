#include "tools/doctor_text.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

std::vector<Finding> findings() {
    return {
        {"supervisor", Verdict::good, "livesockd 0.1.0 runs, pid 4711", {}},
        {"this shell", Verdict::bad,
         "SSH_AUTH_SOCK, /tmp/ssh-XXXXaBcDeFgH/agent.4242, leads nowhere: nobody listens there",
         "eval \"$(livesock env)\""},
        {"tmux", Verdict::none, "no tmux server of yours is running", {}},
        {"forwarding", Verdict::bad,
         "sshd forbids it (/etc/ssh/sshd_config:7: AllowAgentForwarding no)",
         "sudo sed -i '7s/^/# /' /etc/ssh/sshd_config && sudo systemctl reload ssh"},
        {"versions", Verdict::good, "what runs is what is installed", {}},
    };
}

} // namespace

TEST_CASE("doctor at 80 columns") {
    CHECK(doctor_text(findings(), View{.width = 80}) ==
          R"text(2 things are wrong. To cure each, type what stands below it.

ok   supervisor   livesockd 0.1.0 runs, pid 4711
BAD  this shell   SSH_AUTH_SOCK, /tmp/ssh-XXXXaBcDeFgH/agent.4242, leads
                  nowhere: nobody listens there
     type:        eval "$(livesock env)"
-    tmux         no tmux server of yours is running
BAD  forwarding   sshd forbids it (/etc/ssh/sshd_config:7: AllowAgentForwarding
                  no)
     type:        sudo sed -i '7s/^/# /' /etc/ssh/sshd_config && sudo systemctl reload ssh
ok   versions     what runs is what is installed
)text");
}

TEST_CASE("doctor at 140 columns") {
    CHECK(doctor_text(findings(), View{.width = 140}) ==
          R"text(2 things are wrong. To cure each, type what stands below it.

ok   supervisor   livesockd 0.1.0 runs, pid 4711
BAD  this shell   SSH_AUTH_SOCK, /tmp/ssh-XXXXaBcDeFgH/agent.4242, leads nowhere: nobody listens there
     type:        eval "$(livesock env)"
-    tmux         no tmux server of yours is running
BAD  forwarding   sshd forbids it (/etc/ssh/sshd_config:7: AllowAgentForwarding no)
     type:        sudo sed -i '7s/^/# /' /etc/ssh/sshd_config && sudo systemctl reload ssh
ok   versions     what runs is what is installed
)text");
}

TEST_CASE("the doctor's colours take no columns") {
    const std::string text = doctor_text(findings(), View{.width = 80, .colour = true});
    CHECK(text.starts_with("\033[31m2 things are wrong"));
    CHECK(text.find("\033[32mok\033[0m   supervisor   livesockd") != std::string::npos);
    CHECK(text.find("\n     type:        \033[1meval \"$(livesock env)\"\033[0m\n") !=
          std::string::npos);
}

TEST_CASE("where nothing is wrong the first line says so") {
    std::vector<Finding> well{findings()[0]};
    CHECK(doctor_text(well, View{}).starts_with("Nothing is wrong.\n\n"));
    well.push_back(findings()[1]);
    CHECK(doctor_text(well, View{}).starts_with("One thing is wrong. To cure it, type"));
}

TEST_CASE("findings are told as JSON") {
    CHECK(doctor_json({findings()[1]}) == R"text({
  "healthy": false,
  "findings": [
    {
      "check": "this shell",
      "verdict": "problem",
      "text": "SSH_AUTH_SOCK, /tmp/ssh-XXXXaBcDeFgH/agent.4242, leads nowhere: nobody listens there",
      "remedy": "eval \"$(livesock env)\""
    }
  ]
}
)text");
    CHECK(doctor_json({}) == "{\n  \"healthy\": true,\n  \"findings\": []\n}\n");
}

"""Completion of livesock's words, in the real shells, by somebody who types TAB at a terminal."""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.cases import CommandCase
from support.sandbox import BUILD, ROOT
from support.terminal import PROMPT, TypedShell
from support.waiting import eventually

DIRECTORY = os.path.join(ROOT, "tools", "completion")


class Completion:
    """The tests. Each shell has a case with them, which says how the shell is started."""

    program = None

    def setUp(self):
        super().setUp()
        if not shutil.which(self.program):
            self.skipTest(f"{self.program} is not installed")

    def words(self):
        """The words that start the shell, interactive, with the completion and PROMPT."""
        raise NotImplementedError

    def open_shell(self):
        """The shell, ready."""
        shell = self.keep(TypedShell(self.sandbox, *self.words()))
        shell.wait_for(PROMPT)
        return shell

    def typed(self, shell, text, rest=" "):
        """Types `text`, TAB and `rest`; returns what the command that then is there prints."""
        told = self.sandbox.fresh("typed")
        shell.type(f"{text}\t")
        shell.type(f"{rest}>{told}.new; mv {told}.new {told}\r")
        eventually(lambda: os.path.exists(told), 20,
                   lambda: f"{text!r} TAB {rest!r} to be executed; on the screen is\n{shell.screen!r}")
        shell.wait_for(PROMPT)
        with open(told, encoding="utf-8") as file:
            return file.read()

    def test_commands(self):
        shell = self.open_shell()
        for begun, meant in (("sto", "stop"), ("rel", "reload"), ("hea", "heal"), ("reg", "register")):
            with self.subTest(begun=begun):
                self.assertIn(f"Usage: livesock {meant} ", self.typed(shell, f"livesock {begun}", " --help "))

    def test_options_of_livesock_and_of_a_command(self):
        shell = self.open_shell()
        self.assertRegex(self.typed(shell, "livesock --vers"), r"^livesock \d")
        self.started("alice")
        self.assertIn('"agents"', self.typed(shell, "livesock status --js"))
        self.assertIn("is not set up", self.typed(shell, "livesock setup --che", " bash "))

    def test_an_agent_by_its_label_blanks_and_all(self):
        self.started("alice")
        label = self.ask("status")["agents"][0]["label"]
        self.assertIn(" ", label, "an easy label proves little")
        self.typed(self.open_shell(), f"livesock use {label.split()[0][:4]}")
        self.assertEqual(self.ask("status")["pinned"], label)

    def test_the_commands_of_signing_and_their_options(self):
        place = self.sandbox.directory("signing")
        self.configure(f"[[signing]]\nlisten = 'unix:{place}/s'\ntoken_file = '{place}/tokens'\n")
        self.check(0, "start")
        shell = self.open_shell()
        self.assertIn("Usage: livesock signing token", self.typed(shell, "livesock signing tok", " --help "))
        self.assertIn("There is no token", self.typed(shell, "livesock signing token --li"))

    def test_the_command_that_help_is_asked_about(self):
        self.assertIn("Usage: livesock wait", self.typed(self.open_shell(), "livesock help wai"))

    def test_parts_and_paths(self):
        shell = self.open_shell()
        self.assertIn(".config/systemd", self.typed(shell, "livesock setup --check syst"))
        agent = self.started("alice")
        self.typed(shell, f"livesock heal {agent.path[:-1]}")

    def test_the_command_after_run(self):
        self.stop_at_the_end()
        told = self.typed(self.open_shell(), "livesock run printe", " LIVESOCK_DIR ")
        self.assertEqual(told.strip(), self.sandbox.livesock_dir)
        told = self.typed(self.open_shell(), "livesock run -- printe", " LIVESOCK_DIR ")
        self.assertEqual(told.strip(), self.sandbox.livesock_dir)


class BashTest(Completion, CommandCase):
    """bash, with no other completion."""

    program = "bash"

    def words(self):
        return ("bash", "--noprofile", "--rcfile", self.sandbox.file("bashrc", f". {DIRECTORY}/livesock.bash\n"
                                                                     f"PS1='{PROMPT}'\nbind 'set bell-style none'\n"),
                "-i")


class ZshTest(Completion, CommandCase):
    """zsh."""

    program = "zsh"

    def words(self):
        self.sandbox.file("home/.zshrc", f"fpath=({DIRECTORY} $fpath)\nautoload -Uz compinit\ncompinit -u -D\n"
                                         f"PS1='{PROMPT}'\nunsetopt zle_bracketed_paste prompt_sp list_beep beep\n")
        return ("zsh", "-d", "-i")


class FishTest(Completion, CommandCase):
    """fish."""

    program = "fish"

    def words(self):
        self.sandbox.file("home/.config/fish/config.fish",
                          f"source {DIRECTORY}/livesock.fish\nset -g fish_greeting\n"
                          f"function fish_prompt; echo -n '{PROMPT}'; end\n"
                          "function fish_mode_prompt; end\nfunction fish_title; end\n")
        return ("fish", "-i")


class WordsTest(CommandCase):
    """What the completions have to know by themselves."""

    def test_the_parts_of_setup_are_those_that_there_are(self):
        told = re.search(r"PART \.\.\.\s+([\w, ]+?) \(", self.check(0, "setup", "--help").out)[1]
        for name in ("livesock.bash", "_livesock", "livesock.fish"):
            with open(os.path.join(DIRECTORY, name), encoding="utf-8") as file:
                self.assertIn(told.replace(",", ""), file.read(), name)

    def test_without_a_supervisor_and_without_the_program_nothing_is_complained_about(self):
        for path in (BUILD, "/nowhere"):
            done = self.run_program("bash", "-c", f". {DIRECTORY}/livesock.bash; COMP_WORDS=(livesock use ''); "
                                    "COMP_CWORD=2; _livesock livesock; echo \"${COMPREPLY[@]}\"",
                                    PATH=f"{path}:/usr/bin:/bin")
            self.assertEqual(done.text, "auto\n", done)


if __name__ == "__main__":
    main()

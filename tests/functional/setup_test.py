"""livesock setup: what it makes of home directories as people have them, and that undoing it leaves every byte."""

import os
import pathlib
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import CommandCase
from support.dotfiles import BASHRC, HOMES, PROFILE, READ_ONLY, TPM, furnish, snapshot
from support.sandbox import LIVESOCK, LIVESOCKD, ROOT, SHIM

EVERYTHING = ("bash", "zsh", "fish", "csh", "tmux", "screen", "systemd", "--ssh-rc")
BEGIN = b"# >>> livesock setup >>>"


class SetupCase(CommandCase):
    """Sets up the sandbox's home directory."""

    def furnish(self, files):
        """Puts files into the home directory; returns what is there then."""
        furnish(self.sandbox.home, files)
        return self.snapshot()

    def snapshot(self):
        """All that is in the home directory."""
        return snapshot(self.sandbox.home)

    def path(self, name):
        """A path below the home directory."""
        return os.path.join(self.sandbox.home, name)

    def content(self, name):
        """What a file below the home directory says."""
        return pathlib.Path(self.path(name)).read_bytes()

    def setup(self, *words, status=0, **options):
        """livesock setup."""
        options.setdefault("SHELL", "/bin/bash")
        return self.check(status, "setup", *words, **options)

    def installed(self, program):
        """Skips the test, saying why, where this program is not installed."""
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed")
        return program


class UndoTest(SetupCase):
    """setup, then setup --undo."""

    def there_and_back(self, files, *words, shell="bash"):
        """setup, again, --check, --undo, --undo again in a home directory with these files."""
        before = self.furnish(files)
        options = {"SHELL": f"/bin/{shell}"}
        self.setup(*words, status=1, **options)
        self.assertEqual(self.snapshot(), before, "changed without being told to")
        self.setup("--check", *words, status=1, **options)
        self.setup("--yes", *words, **options)
        set_up = self.snapshot()
        self.assertNotEqual(set_up, before)
        self.setup("--yes", *words, **options)
        self.assertEqual(self.snapshot(), set_up, "not idempotent")
        self.setup("--check", *words, **options)
        self.assertEqual(self.snapshot(), set_up)
        for name, (mode, uid, gid, _) in before.items():
            self.assertEqual(set_up[name][:3], (mode, uid, gid), name)
        self.setup("--undo", "--yes", **options)
        self.assertEqual(self.snapshot(), before)
        self.setup("--undo", "--yes", **options)
        self.assertEqual(self.snapshot(), before)

    def each_home(self, *words):
        """The same for every home directory."""
        for name, (files, shell) in HOMES.items():
            with self.subTest(home=name):
                shutil.rmtree(self.sandbox.home)
                self.sandbox.directory("home")
                self.there_and_back(files, *words, shell=shell)

    def test_every_home_is_as_it_was_byte_for_byte(self):
        self.each_home(*EVERYTHING)

    def test_every_home_is_as_it_was_with_the_usual_parts(self):
        self.each_home()

    def test_what_was_changed_meanwhile_stays_and_so_does_the_backup(self):
        self.furnish({".profile": b"export A=1"})
        self.setup("--yes", "bash")
        with open(self.path(".profile"), "ab") as file:
            file.write(b"export B=2\n")
        done = self.setup("--undo", "--yes")
        self.assertEqual(self.content(".profile"), b"export A=1\nexport B=2\n")
        self.assertEqual(self.content(".profile.livesock-backup"), b"export A=1")
        self.assertIn(".profile.livesock-backup", done.out)

    def test_parts_are_undone_one_by_one(self):
        before = self.furnish({".config/fish/config.fish": b""})
        self.setup("--yes", "bash", "fish", "systemd", "tmux")
        self.setup("--undo", "--yes", "systemd")
        self.assertEqual(set(self.snapshot()) - set(before), {
            ".profile", ".tmux.conf", ".config/fish/conf.d", ".config/fish/conf.d/livesock.fish"})
        self.setup("--undo", "--yes")
        self.assertEqual(self.snapshot(), before)

    def test_a_part_that_is_named_twice_is_one(self):
        before = self.furnish({".profile": PROFILE})
        self.setup("--yes", "bash", "bash", "--ssh-rc")
        self.setup("--check", "bash", "--ssh-rc")
        self.setup("--undo", "--yes", "--ssh-rc")
        self.assertEqual(self.snapshot(), before)

    def test_directories_that_were_there_stay(self):
        for name in (".config", ".config/fish", ".config/fish/conf.d", ".ssh"):
            self.sandbox.directory("home", name)
        before = self.snapshot()
        self.setup("--yes", "fish", "--ssh-rc")
        self.setup("--undo", "--yes")
        self.assertEqual(self.snapshot(), before)

    def test_a_backup_keeps_what_was_there_with_its_mode(self):
        self.furnish({".profile": (PROFILE, 0o600)})
        self.setup("--yes", "bash")
        self.assertEqual(self.content(".profile.livesock-backup"), PROFILE)
        self.assertEqual(os.stat(self.path(".profile.livesock-backup")).st_mode & 0o777, 0o600)

    def test_an_older_backup_is_kept_under_another_name_and_this_is_said(self):
        self.furnish({".profile": b"export A=1\n"})
        for number in (1, 2):
            self.setup("--yes", "bash")
            with open(self.path(".profile"), "ab") as file:
                file.write(b"export B=%d\n" % number)
            self.setup("--undo", "--yes")
        done = self.setup("--yes", "bash")
        self.assertIn("what an earlier setup has kept is in ~/.profile.livesock-backup.2 now\n", done.out)
        self.setup("--undo", "--yes")
        self.assertEqual({name: self.content(name) for name in self.snapshot()}, {
            ".profile": b"export A=1\nexport B=1\nexport B=2\n", ".profile.livesock-backup.1": b"export A=1\n",
            ".profile.livesock-backup.2": b"export A=1\nexport B=1\n"})

    def test_a_backup_that_says_the_same_is_the_same(self):
        before = self.furnish({".profile": PROFILE, ".profile.livesock-backup": PROFILE})
        self.assertNotIn("earlier", self.setup("--yes", "bash").out)
        self.assertEqual(set(self.snapshot()), set(before))

    def test_an_older_section_is_brought_up_to_date_and_undone(self):
        before = self.furnish({".profile": PROFILE})
        self.setup("--yes", "bash")
        new = self.content(".profile")
        pathlib.Path(self.path(".profile")).write_bytes(new.replace(b"env -s --keep-own", b"env --older"))
        self.setup("--check", "bash", status=1)
        self.setup("--yes", "bash")
        self.assertEqual(self.content(".profile"), new)
        self.setup("--undo", "--yes")
        self.assertEqual(self.snapshot(), before)


class AskTest(SetupCase):
    """What is shown, and what is asked."""

    def at_a_terminal(self, answer, *words):
        """setup where somebody types an answer."""
        command = " ".join(shlex.quote(word) for word in (LIVESOCK, "setup", *words))
        return self.run_program("script", "-qec", command, "/dev/null", stdin=answer, SHELL="/bin/bash")

    def test_the_exact_change_is_shown(self):
        self.furnish({".profile": b"export A=1\n"})
        shown = self.setup("bash", status=1)
        self.setup("--yes", "bash")
        added = self.content(".profile").decode().splitlines()[1:]
        self.assertEqual(shown.out.split("\n\n")[0].splitlines(),
                         ["--- ~/.profile", "+++ ~/.profile", f"@@ -1,1 +1,{1 + len(added)} @@", " export A=1",
                          *("+" + line for line in added)])
        self.assertIn("livesock setup bash --yes\n", shown.err)

    def test_what_is_proposed_is_what_was_shown(self):
        self.furnish({".profile": PROFILE, ".tmux.conf": TPM})
        for words in (("bash",), ("bash", "--ssh-rc"), ("tmux", "screen")):
            with self.subTest(words=words):
                checked = self.setup("--check", *words, status=1)
                self.assertTrue(checked.out.endswith(f"To set it up: livesock setup {' '.join(words)}\n"), checked)
                asked = self.setup(*words, status=1)
                self.assertIn(f"livesock setup {' '.join(words)} --yes\n", asked.err)
        self.setup("--yes", "bash")
        undone = self.setup("--undo", "bash", status=1)
        self.assertIn("livesock setup bash --undo --yes\n", undone.err)

    def test_with_quiet_nothing_is_said_of_what_was_done(self):
        self.furnish({".profile": PROFILE, ".tmux.conf": TPM})
        for words in (("--yes",), ("-yq",), ("--undo", "-qy")):
            self.assertEqual(self.setup("-q", "bash", "tmux", *words).text, "", words)

    def test_what_begins_with_the_next_login_is_told_where_something_does(self):
        self.furnish({".profile": PROFILE, ".tmux.conf": TPM})
        self.assertNotIn("login", self.setup("--yes", "tmux").out)
        self.assertTrue(self.setup("--yes", "bash").out.endswith("It begins with the next login.\n"))

    def test_a_login_shell_that_is_not_known_is_told(self):
        self.furnish({".tmux.conf": TPM})
        done = self.setup("--yes", status=1, SHELL="/usr/bin/nu")
        self.assertIn("/usr/bin/nu: livesock knows nothing of this login shell", done.out)
        self.assertIn("livesock env -s", done.out)
        self.setup("--undo", "--yes", SHELL="/usr/bin/nu")

    def test_nothing_is_changed_where_home_does_not_say_whose(self):
        for home in ("", "relative", self.path("missing")):
            with self.subTest(home=home):
                done = self.setup("--yes", status=2, HOME=home)
                self.assertIn(f"HOME is '{home}'", done.err)
        self.assertFalse(os.path.lexists(self.path("missing")))

    def test_a_diff_can_be_applied(self):
        patch = self.installed("patch")
        self.furnish({".profile": PROFILE, ".tmux.conf": TPM})
        shown = self.setup("bash", "tmux", status=1)
        copies = {name: self.content(name) for name in (".profile", ".tmux.conf")}
        self.setup("--yes", "bash", "tmux")
        for name, text in copies.items():
            with self.subTest(name=name):
                copy = self.sandbox.file("copy", text.decode())
                hunk = shown.out.split(f"--- ~/{name}")[1].split("\n\n--- ")[0]
                done = self.run_program(patch, copy, stdin=f"--- copy{hunk}\n".encode())
                self.assertEqual(done.status, 0, done)
                self.assertEqual(pathlib.Path(copy).read_bytes(), self.content(name))

    def test_yes_changes_and_anything_else_does_not(self):
        before = self.furnish({".profile": b"export A=1\n"})
        for answer in (b"n\n", b"\n", b"\x04", b"never y\n"):
            with self.subTest(answer=answer):
                done = self.at_a_terminal(answer, "bash")
                self.assertEqual(done.status, 1, done)
                self.assertEqual(self.snapshot(), before)
        self.assertEqual(self.at_a_terminal(b"y\n", "bash").status, 0)
        self.assertIn(BEGIN, self.content(".profile"))

    def test_wrong_words_are_told(self):
        self.assertIn("'tmux'", self.setup("tmx", status=2).err)
        self.setup("--check", "--undo", status=2)


class RefusalTest(SetupCase):
    """Files that are not to be touched."""

    def refused(self, name, *words):
        """setup leaves everything alone, says why, and what to write; returns what it says."""
        before = self.snapshot()
        done = self.setup("--yes", *words, status=1)
        self.assertEqual(self.snapshot(), before)
        self.assertIn(name, done.out)
        self.assertIn("env -s --keep-own", done.out)
        return done.out

    def test_a_read_only_file(self):
        self.furnish({".profile": (PROFILE, READ_ONLY)})
        self.assertIn("read-only", self.refused(".profile", "bash"))
        os.chmod(self.path(".profile"), 0o644)
        self.setup("--yes", "bash")
        os.chmod(self.path(".profile"), READ_ONLY)
        before = self.snapshot()
        self.assertIn("its section stays", self.setup("--undo", "--yes", status=1).out)
        self.assertEqual(self.snapshot(), before)

    def test_a_read_only_file_keeps_nobody_else_from_being_set_up(self):
        self.furnish({".profile": (PROFILE, READ_ONLY), ".tmux.conf": b""})
        self.setup("--yes", "bash", "tmux", status=1)
        self.assertIn(BEGIN, self.content(".tmux.conf"))
        self.assertEqual(self.content(".profile"), PROFILE)

    def test_a_link_that_leads_nowhere(self):
        os.symlink("nothing", self.path(".profile"))
        self.assertIn("leads nowhere", self.refused(".profile", "bash"))

    def test_a_directory_and_a_pipe(self):
        os.mkdir(self.path(".profile"))
        self.assertIn("no file", self.refused(".profile", "bash"))
        os.rmdir(self.path(".profile"))
        os.mkfifo(self.path(".profile"))
        self.assertIn("no file", self.refused(".profile", "bash"))

    def test_what_is_no_text_or_has_several_names_or_a_broken_section(self):
        for name, content, word in (("UTF-16", "export A=1\n".encode("utf-16"), "no text"),
                                    ("broken", BEGIN + b"\nmine\n", "has no end")):
            with self.subTest(name=name):
                self.furnish({".profile": content})
                self.assertIn(word, self.refused(".profile", "bash"))
        self.furnish({".profile": PROFILE})
        os.link(self.path(".profile"), self.path("other"))
        self.assertIn("hard links", self.refused(".profile", "bash"))

    def test_a_link_into_a_repository_is_followed_and_told(self):
        files, _ = HOMES["linked_into_a_repository"]
        self.furnish(files)
        done = self.setup("--yes", "bash")
        self.assertIn("~/.profile leads to ~/dotfiles/profile, which is changed", done.out)
        self.assertEqual(os.readlink(self.path(".profile")), "dotfiles/profile")
        self.assertIn(BEGIN, self.content("dotfiles/profile"))
        self.assertEqual(os.listdir(self.path("dotfiles")).count("profile"), 1)
        self.assertFalse([name for name in os.listdir(self.path("dotfiles")) if "livesock" in name])


class ShellTest(SetupCase):
    """What the shells make of it."""

    CHECKS = {
        ".profile": ("bash", "-n"), ".bash_profile": ("bash", "-n"), ".bashrc": ("bash", "-n"),
        ".ssh/rc": ("sh", "-n"), ".zprofile": ("zsh", "-n"), ".config/zsh/.zprofile": ("zsh", "-n"),
        ".config/fish/conf.d/livesock.fish": ("fish", "--no-execute"), ".login": ("tcsh", "-n"),
    }

    def test_every_file_of_every_home_is_right_in_the_eyes_of_its_shell(self):
        missing = set()
        for name, (files, shell) in HOMES.items():
            shutil.rmtree(self.sandbox.home)
            self.sandbox.directory("home")
            self.furnish(files)
            self.setup("--yes", *EVERYTHING, SHELL=f"/bin/{shell}")
            for file, words in self.CHECKS.items():
                if not os.path.exists(self.path(file)) or BEGIN not in self.content(file):
                    continue
                if not shutil.which(words[0]):
                    missing.add(words[0])
                    continue
                with self.subTest(home=name, file=file):
                    done = self.run_program(*words, self.path(file))
                    self.assertEqual((done.status, done.text), (0, ""), done)
        if missing:
            self.skipTest(f"not installed, so not asked: {', '.join(sorted(missing))}")

    LOGINS = {
        "bash": ("bash", "-l", "-c", "echo $SSH_AUTH_SOCK"),
        "zsh": ("zsh", "-l", "-c", "echo $SSH_AUTH_SOCK"),
        "fish": ("fish", "-l", "-c", "echo $SSH_AUTH_SOCK"),
        "csh": ("tcsh", "-c", "source ~/.login; echo $SSH_AUTH_SOCK"),
    }

    def login(self, part, **environment):
        """What a login shell says about SSH_AUTH_SOCK, and nothing else."""
        words = self.LOGINS[part]
        done = self.run_program(self.installed(words[0]), *words[1:], SHELL=f"/bin/{words[0]}", **environment)
        self.assertEqual(done.err, "", done)
        return done.out.strip()

    def check_login(self, part, files):
        """A login shell comes to have the stable socket, or keeps what is its user's own."""
        self.furnish(files)
        self.setup("--yes", part)
        own = self.agent("own")
        self.assertEqual(self.login(part, SSH_AUTH_SOCK=own.path), own.path)
        self.assertFalse(os.path.exists(self.agent_sock), "nobody asked for a supervisor")
        self.assertEqual(self.login(part, SSH_AUTH_SOCK=""), self.agent_sock)
        self.assertEqual(self.login(part, SSH_AUTH_SOCK="/tmp/ssh-gone/agent.1"), self.agent_sock)
        self.assertEqual(self.login(part, SSH_AUTH_SOCK=self.agent_sock), self.agent_sock)

    def test_a_bash_has_the_stable_socket_and_keeps_an_agent_of_its_own(self):
        self.check_login("bash", {".profile": PROFILE, ".bashrc": BASHRC})

    def test_a_zsh_does(self):
        self.check_login("zsh", {".zprofile": b"export A=1"})

    def test_a_fish_does(self):
        self.check_login("fish", {})

    def test_a_csh_does(self):
        self.check_login("csh", {".login": b"setenv A 1"})

    LEAVING = {
        "bash": (".bash_profile", ("exec {}", "[ -n 1 ] && exec {}", "if true; then exec {}; fi\n",
                                   "if true\nthen\n  exec {}\nfi", "case $- in\n  *) exec {} ;;\nesac\n")),
        "zsh": (".zprofile", ("exec {}", "[[ -n 1 ]] && exec {}\n", "true &&\n  exec {}\n")),
        "csh": (".login", ("exec {}", "if ( 1 ) exec {}\n", "if ( 1 ) then\n  exec {}\nendif\n")),
        "fish": (".config/fish/config.fish", ("exec {}\n", "if true\n  exec {}\nend\n")),
    }

    def test_it_is_reached_where_a_file_ends_in_another_program(self):
        for part, (name, endings) in self.LEAVING.items():
            if not shutil.which(self.LOGINS[part][0]):
                continue
            for ending in endings:
                with self.subTest(part=part, ending=ending):
                    shutil.rmtree(self.sandbox.home)
                    self.sandbox.directory("home")
                    self.furnish({name: ending.format("sh -c 'echo $SSH_AUTH_SOCK'").encode()})
                    self.assertNotIn("may become another program", self.setup("--yes", part).out)
                    self.assertEqual(self.login(part, SSH_AUTH_SOCK=""), self.agent_sock)

    def test_it_is_reached_before_the_program_that_ssh_rc_becomes(self):
        self.furnish({".ssh/rc": b"#!/bin/sh\nexec true\n"})
        self.setup("--yes", "--ssh-rc")
        self.assertEqual(self.run_program("sh", self.path(".ssh/rc"), SSH_AUTH_SOCK="").text, "")
        self.assertTrue(wire.accepts(self.agent_sock))

    def test_a_section_behind_what_becomes_another_program_is_brought_before_it(self):
        before = self.furnish({".profile": b"export A=1\n"})
        self.setup("--yes", "bash")
        path = pathlib.Path(self.path(".profile"))
        path.write_bytes(path.read_bytes().replace(b"A=1\n", b"A=1\nexec zsh\n"))
        self.assertIn("otherwise than it would be now", self.setup("--check", "bash", status=1).out)
        self.setup("--yes", "bash")
        self.assertTrue(self.content(".profile").endswith(b"\nexec zsh\n"))
        self.setup("--check", "bash")
        path.write_bytes(path.read_bytes().replace(b"exec zsh\n", b""))
        self.setup("--undo", "--yes")
        self.assertEqual(self.snapshot(), before)

    def test_a_line_that_may_become_another_program_further_up_is_told(self):
        self.furnish({".profile": b"[ -n \"$GO\" ] && exec zsh\nexport A=1\n"})
        for words, status in ((("bash",), 1), (("--yes", "bash"), 0), (("--check", "bash"), 0)):
            self.assertIn("line 1 may become another program", self.setup(*words, status=status).out, words)

    def test_with_crlf_it_works_as_well(self):
        files, _ = HOMES["with_crlf"]
        self.furnish(files)
        self.setup("--yes", "bash")
        self.assertEqual(self.login("bash", SSH_AUTH_SOCK=""), self.agent_sock)
        shutil.rmtree(self.path(".zprofile"), ignore_errors=True)
        for part in ("zsh", "csh"):
            if shutil.which(self.LOGINS[part][0]):
                with self.subTest(part=part):
                    self.setup("--yes", part)
                    self.assertEqual(self.login(part, SSH_AUTH_SOCK=""), self.agent_sock)

    def test_a_login_goes_on_where_livesock_is_no_more(self):
        self.furnish({".profile": PROFILE})
        self.setup("--yes", "bash", "zsh", "fish", "csh")
        for name in (".profile", ".zprofile", ".config/fish/conf.d/livesock.fish", ".login"):
            path = pathlib.Path(self.path(name))
            path.write_bytes(path.read_bytes().replace(LIVESOCK.encode(), b"/nowhere/livesock"))
        for part, words in self.LOGINS.items():
            if shutil.which(words[0]):
                with self.subTest(part=part):
                    self.assertEqual(self.login(part, SSH_AUTH_SOCK="/its/own"), "/its/own")

    def test_a_real_login_over_ssh_has_the_stable_socket(self):
        self.furnish({".profile": PROFILE})
        self.setup("--yes", "bash")
        first = self.login_over_ssh()
        self.assertEqual(first.run("echo $SSH_AUTH_SOCK").out.strip(), self.agent_sock)
        self.assertIn("alice", first.run("ssh-add -l").out)

    def login_over_ssh(self):
        """A login with a forwarded agent that has read ~/.profile."""
        login = SetupCase.login(self, self.sshd(), self.agent("alice"))
        login.run(". ~/.profile")
        return login


class TmuxTest(SetupCase):
    """tmux and screen."""

    def environment_of(self, tmux, name):
        """What tmux gives new panes."""
        done = self.run_program(*shlex.split(tmux.words), "show-environment", "-g", name)
        return done.out.strip().partition("=")[2]

    def start(self, **environment):
        """A tmux server that has read the configuration of the home directory."""
        self.installed("tmux")
        tmux = self.tmux()
        tmux.words = tmux.words.replace("/dev/null", shlex.quote(self.path(".tmux.conf")))
        done = self.run_program(*shlex.split(tmux.words), "new-session", "-d", "-s", "old", "sh", **environment)
        self.assertEqual((done.status, done.text), (0, ""), done)
        return tmux

    def test_new_panes_have_the_stable_socket_and_the_shim(self):
        self.furnish({".tmux.conf": TPM})
        self.setup("--yes", "tmux")
        tmux = self.start(SSH_AUTH_SOCK=None)
        self.assertEqual(self.environment_of(tmux, "SSH_AUTH_SOCK"), self.agent_sock)
        self.assertEqual(self.environment_of(tmux, "LIVESOCK_DIR"), self.sandbox.livesock_dir)
        self.assertEqual(self.environment_of(tmux, "LD_PRELOAD"), SHIM)
        self.assertEqual(self.environment_of(tmux, "ASAN_OPTIONS"), "verify_asan_link_order=0")
        pane = tmux.pane()
        self.assertEqual(pane.run("echo $LD_PRELOAD").out.strip(), SHIM)
        self.assertIn("liblivesock", pane.run("cat /proc/self/maps").out)

    def test_an_agent_of_ones_own_stays(self):
        own = self.agent("own")
        self.setup("--yes", "tmux")
        tmux = self.start(SSH_AUTH_SOCK=own.path)
        self.assertEqual(self.environment_of(tmux, "SSH_AUTH_SOCK"), own.path)
        self.assertEqual(self.environment_of(tmux, "LD_PRELOAD"), "")

    def test_what_is_preloaded_already_stays(self):
        other = self.sandbox.path + "/other.so"
        shutil.copy(SHIM, other)
        self.setup("--yes", "tmux")
        tmux = self.start(LD_PRELOAD=other)
        self.assertEqual(self.environment_of(tmux, "LD_PRELOAD"), f"{other}:{SHIM}")

    def test_a_crlf_configuration_is_read(self):
        files, _ = HOMES["with_crlf"]
        self.furnish(files)
        self.setup("--yes", "tmux")
        self.assertEqual(self.environment_of(self.start(), "LIVESOCK_DIR"), self.sandbox.livesock_dir)

    def test_a_server_that_runs_takes_it_by_source_file(self):
        tmux = self.start(SSH_AUTH_SOCK=None)
        said = self.setup("--yes", "tmux").out
        self.assertIn("tmux source-file ~/.tmux.conf", said)
        self.run_program(*shlex.split(tmux.words), "source-file", self.path(".tmux.conf"))
        self.assertEqual(self.environment_of(tmux, "SSH_AUTH_SOCK"), self.agent_sock)

    def test_without_tmux_env_tmux_says_so(self):
        self.assertEqual(self.check(2, "env", "--tmux").text, "")
        self.check(2, "env", "--tmux", "-c")

    def test_windows_of_screen_have_the_shim_and_keep_their_agent(self):
        self.installed("screen")
        self.furnish({".screenrc": b"startup_message off"})
        self.setup("--yes", "screen")
        found = self.sandbox.fresh("environment")
        done = self.run_program("screen", "-D", "-m", "sh", "-c", f"env >{found}", SSH_AUTH_SOCK="/its/own",
                                SCREENDIR=self.sandbox.directory("screens"))
        self.assertEqual(done.status, 0, done)
        variables = dict(line.split("=", 1) for line in pathlib.Path(found).read_text("utf-8").splitlines()
                         if "=" in line)
        self.assertEqual(variables["LD_PRELOAD"], f":{SHIM}")
        self.assertEqual(variables["LIVESOCK_DIR"], self.sandbox.livesock_dir)
        self.assertEqual(variables["SSH_AUTH_SOCK"], "/its/own")


class SystemdTest(SetupCase):
    """The user's service manager."""

    def test_the_units_are_right_in_the_eyes_of_systemd(self):
        self.installed("systemd-analyze")
        self.setup("--yes", "systemd")
        units = [self.path(f".config/systemd/user/livesockd.{kind}") for kind in ("service", "socket")]
        for unit in units:
            done = self.run_program("systemd-analyze", "verify", "--user", "--man=no", unit)
            self.assertEqual((done.status, done.text), (0, ""), done)
        self.assertIn(f"ExecStart={LIVESOCKD}\n".encode(), self.content(".config/systemd/user/livesockd.service"))
        self.assertNotIn(b"PrivateTmp", self.content(".config/systemd/user/livesockd.service"))
        self.assertIn(f"ListenStream={self.agent_sock}\n".encode(),
                      self.content(".config/systemd/user/livesockd.socket"))

    def test_the_units_that_it_writes_are_those_that_are_installed(self):
        self.setup("--yes", "systemd", LIVESOCK_DIR=None)
        for kind, name in (("service", "livesockd.service.in"), ("socket", "livesockd.socket")):
            installed = pathlib.Path(ROOT, "tools", "systemd", name).read_text("utf-8").partition("\n[Install]")[0]
            installed = (installed.replace("@bindir@", os.path.dirname(LIVESOCKD)).replace("%h", self.sandbox.home)
                         .replace("%H", os.uname().nodename))
            written = self.content(f".config/systemd/user/livesockd.{kind}").decode()
            self.assertEqual([line for line in written.splitlines() if not line.startswith("#")],
                             [line for line in installed.splitlines() if not line.startswith("#")])

    def test_the_environment_keeps_an_agent_that_is_set(self):
        generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
        if not os.path.exists(generator):
            self.skipTest("there is no generator of systemd to ask")
        self.setup("--yes", "systemd")
        for own, expected in ((None, self.agent_sock), ("/its/own", "/its/own")):
            done = self.run_program(generator, SSH_AUTH_SOCK=own, XDG_CONFIG_HOME=None)
            self.assertIn(f"SSH_AUTH_SOCK={expected}", done.out.splitlines(), done)


if __name__ == "__main__":
    main()

"""livesock doctor about the system and other tools: each finding is provoked, and its remedy cures it.

What the remedies have a service manager do is done by stand-ins of its programs, as there is none where tests run: they
do to the files what it does, and the doctor reads the files that it would.
"""

import json
import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc
from support.case import main
from support.doctor import DoctorCase
from support.sandbox import LIVESOCK, LIVESOCKD, ROOT, SHIM
from support.waiting import eventually


class SharedHomeTest(DoctorCase):
    """Several hosts, one home directory."""

    def test_the_socket_of_another_host(self):
        self.addCleanup(self.livesock, "stop", LIVESOCK_DIR=None)
        path = f"{self.sandbox.home}/.local/state/livesock/tower/agent.sock"
        self.check_cured("shared home", "another host, tower", SSH_AUTH_SOCK=path, LIVESOCK_DIR=os.path.dirname(path))

    def test_sockets_of_logins_on_another_host(self):
        """Nobody can tell them from those of logins that ended, and nobody has to: they are in nobody's way."""
        self.started("alice")
        path = os.path.join(self.sandbox.directory("home", ".ssh", "agent"), "s.0123456789abcdef.sshd.AbCdEf")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
        self.addCleanup(os.unlink, path)
        (finding,) = self.examine()["shared home"]
        self.assertEqual((finding["verdict"], finding["text"].split(",")[0]), ("ok", "1 socket in ~/.ssh/agent"))
        self.assertEqual(self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock).status, 0)


class ServiceManagerTest(DoctorCase):
    """logind, and the clean-up of /tmp."""

    def booted(self):
        """It looks as if systemd had started this machine."""
        self.mount("/run/systemd")
        for name in ("system", "users"):
            os.mkdir(f"/run/systemd/{name}")

    def logind(self, config):
        """And as if logind ran with this configuration; returns the PATH with the programs that its remedies call."""
        self.booted()
        self.mount("/etc/systemd")
        self.mount("/var/lib")
        with open("/etc/systemd/logind.conf", "w", encoding="utf-8") as file:
            file.write(config)
        self.program("systemctl", f'echo "$*" >>{self.sandbox.path}/told')
        self.program("loginctl", '[ "$1" = enable-linger ] && mkdir -p /var/lib/systemd/linger && '
                                 ': >/var/lib/systemd/linger/"$(id -un)"')
        return self.program("sudo", 'exec "$@"')

    def test_processes_that_end_with_their_login(self):
        path = self.logind("[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\nKillExcludeUsers=\n")
        # Whoever lingers loses them all the same.
        self.assertEqual(self.run_program("loginctl", "enable-linger", PATH=path).status, 0)
        self.check_cured("logout", "/etc/systemd/logind.conf:3: KillUserProcesses=yes", PATH=path)
        with open(f"{self.sandbox.path}/told", encoding="utf-8") as file:
            self.assertEqual(file.read(), "restart systemd-logind\n")
        with open("/etc/systemd/logind.conf", encoding="utf-8") as file:
            self.assertIn("\nKillUserProcesses=no\n", file.read())

    def test_a_drop_in_is_what_counts(self):
        path = self.logind("[Login]\nKillUserProcesses=no\n")
        os.mkdir("/etc/systemd/logind.conf.d")
        with open("/etc/systemd/logind.conf.d/50.conf", "w", encoding="utf-8") as file:
            file.write("[Login]\nKillUserProcesses=true\nKillExcludeUsers=\n")
        self.check_cured("logout", "/etc/systemd/logind.conf.d/50.conf:2: KillUserProcesses=true", PATH=path)

    def test_a_user_service_that_ends_with_the_last_login(self):
        path = self.logind("[Login]\n")
        self.started("alice")
        self.move_to_user_service(self.pid())
        self.check_cured("logout", "livesockd is a user service", PATH=path)
        self.assertIn("linger is enabled", self.examine(PATH=path)["logout"][0]["text"])

    def move_to_user_service(self, pid):
        """Puts the process where systemd puts services of users, if there is a hierarchy that lets us."""
        service = f"livesock-test-{os.getpid()}/user@{os.getuid()}.service/app.slice/livesockd.service"
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            tops = [line.split()[1] for line in mounts if line.split()[2] in ("cgroup", "cgroup2")]
        for top in tops:
            try:
                with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                    before = file.read()
                os.makedirs(f"{top}/{service}")
                self.addCleanup(self.remove_directories, top, service)
                with open(f"{top}/{service}/cgroup.procs", "w", encoding="ascii") as file:
                    file.write(str(pid))
            except OSError:
                continue
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                if file.read() != before:
                    self.addCleanup(self.move_to_top, top, pid)
                    return
        self.skipTest("no control group can be made here")

    @staticmethod
    def move_to_top(top, pid):
        """The control group can be removed when nobody is in it."""
        with open(f"{top}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))

    @staticmethod
    def remove_directories(top, path):
        """Removes that directory below `top` and those above it."""
        while path:
            os.rmdir(f"{top}/{path}")
            path = os.path.dirname(path)

    def test_a_clean_up_of_tmp_by_age(self):
        self.mount("/etc/tmpfiles.d")
        self.booted()
        with open("/etc/tmpfiles.d/tmp.conf", "w", encoding="utf-8") as file:
            file.write("q /tmp 1777 root root 10d\n")
        path = self.program("sudo", 'exec "$@"')
        self.check_cured("clean-up", f"{self.sandbox.livesock_dir} cleaned away by its age", PATH=path)


class RivalsTest(DoctorCase):
    """Other tools that set SSH_AUTH_SOCK."""

    def check_rival(self, words, path, **environment):
        """The agent of another tool at `path`, while a login has brought one along."""
        self.check(0, "start")
        self.login(self.sshd(), self.agent("alice"))
        self.check(0, "wait", "--timeout", "10s")
        self.place(path, self.agent("bob").path)
        return self.check_cured("other tools", f"{words} has set SSH_AUTH_SOCK, and nothing here asks the agent",
                                SSH_AUTH_SOCK=path, **environment)

    def place(self, path, agent):
        """A name of the agent, as those tools have one."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(agent, path)

    def test_a_tool_that_leads_to_the_agent_of_the_login_is_in_nobodys_way(self):
        self.check(0, "start")
        login = self.login(self.sshd(), self.agent("alice"))
        self.check(0, "wait", "--timeout", "10s")
        path = f"{self.sandbox.runtime}/vscode-ssh-auth-sock-123456789"
        self.place(path, login.auth_sock)
        self.assertEqual(self.examine(SSH_AUTH_SOCK=path)["other tools"][0]["verdict"], "ok")

    def test_wezterm(self):
        self.check_rival("wezterm (mux_enable_ssh_agent)", f"{self.sandbox.runtime}/wezterm/agent.4711")

    def test_vs_code(self):
        self.check_rival("VS Code", f"{self.sandbox.runtime}/vscode-ssh-auth-sock-123456789")

    def test_gnome_keyring_of_old(self):
        self.check_rival("gnome-keyring", f"{self.sandbox.runtime}/keyring/ssh")
        with open(f"{self.sandbox.home}/.config/autostart/gnome-keyring-ssh.desktop", encoding="utf-8") as file:
            self.assertEqual(file.read(), "[Desktop Entry]\nType=Application\nHidden=true\n")

    def test_gnome_keyring_of_today(self):
        path = self.program("systemctl", f'echo "$*" >{self.sandbox.path}/told')
        self.check_rival("gnome-keyring (gcr)", f"{self.sandbox.runtime}/gcr/ssh", PATH=path)
        with open(f"{self.sandbox.path}/told", encoding="utf-8") as file:
            self.assertEqual(file.read(), "--user mask --now gcr-ssh-agent.socket\n")

    def check_line(self, name, before, number, after, **environment):
        """A line of a start-up file is found by its number, and its remedy makes the file `after`."""
        path = self.sandbox.file(f"home/{name}", before)
        line = before.splitlines()[number - 1].strip()
        self.check_cured("other tools", f"{path}:{number} sets SSH_AUTH_SOCK, too: {line}", **environment)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), after)
        self.assertEqual(self.run_program("bash", "-n", path).text, "")

    def test_an_agent_of_every_shell(self):
        self.check_line(".bashrc", "alias l=ls\neval $(ssh-agent -s)\n[ -f x ] && . x\n", 2,
                        "alias l=ls\n: # eval $(ssh-agent -s)\n[ -f x ] && . x\n")

    def test_keychain_as_the_only_command_of_an_if(self):
        self.check_line(".bash_profile", "if true; then\n  eval $(keychain --eval id_rsa)\nfi\n", 2,
                        "if true; then\n: #   eval $(keychain --eval id_rsa)\nfi\n")

    def test_a_part_of_a_command_of_several_lines(self):
        """The remedy opens an editor there: this one does what a person would."""
        path = self.program("vi", 'sed -i "${1#+},+1d" "$2"')
        self.check_line(".profile", "alias l=ls\nif true; then eval $(ssh-agent)\nfi\n", 2, "alias l=ls\n",
                        PATH=path, EDITOR=None)

    def test_several_lines_one_by_one(self):
        path = self.sandbox.file("home/.zshrc", "export SSH_AUTH_SOCK=/a\nx=1\nexport SSH_AUTH_SOCK=/b\n")
        findings = self.examine()["other tools"]
        self.assertEqual(len(findings), 2, findings)
        after = self.examine("\n".join(finding["remedy"] for finding in findings))["other tools"]
        self.assertEqual([finding["verdict"] for finding in after], ["ok"])
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), ": # export SSH_AUTH_SOCK=/a\nx=1\n: # export SSH_AUTH_SOCK=/b\n")


class VersionsTest(DoctorCase):
    """What runs, what is installed, and what was left."""

    def setUp(self):
        super().setUp()
        self.directory = self.sandbox.directory("new")
        self.path = f"{self.directory}:{self.sandbox.environment()['PATH']}"

    def install(self, program, change=lambda content: content):
        """Installs a program by rename, as a package does."""
        path = os.path.join(self.directory, os.path.basename(program))
        with open(program, "rb") as file:
            content = change(file.read())
        with open(path + ".new", "wb") as file:
            file.write(content)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def test_a_supervisor_of_another_version(self):
        version = self.check(0, "--version").out.split()[-1].encode()
        other = version[:-1] + (b"8" if version[-1:] != b"8" else b"9")
        self.install(LIVESOCK)
        self.install(LIVESOCKD, lambda content: content.replace(version, other))
        self.assertEqual(self.run_program("livesock", "start", PATH=self.path).status, 0)
        self.install(LIVESOCKD)
        self.check_cured("versions", f"livesockd {other.decode()} is running, but {version.decode()} is installed",
                         PATH=self.path)

    def test_a_supervisor_of_a_program_that_was_replaced(self):
        self.install(LIVESOCK)
        self.install(LIVESOCKD)
        self.assertEqual(self.run_program("livesock", "start", PATH=self.path).status, 0)
        self.install(LIVESOCKD)
        self.check_cured("versions", "livesockd was replaced", PATH=self.path)

    def test_programs_that_go_on_with_an_older_library(self):
        self.started("alice")
        shim = shutil.copy(SHIM, self.directory)
        process = self.sandbox.spawn("sleep", "60", log="sleep.log", LD_PRELOAD=shim)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        eventually(lambda: "liblivesock" in proc.maps(process.pid), 5, "the library to be loaded")
        os.unlink(shim)
        (finding,) = self.examine()["versions"]
        self.assertEqual(finding["verdict"], "ok")
        self.assertRegex(finding["text"], r"^\d+ programs? runs? with an older liblivesock.so, and go(es)? on to work$")

    def left(self, before=":", **environment):
        """What is said of a library that was left, where no other process is to be seen: a tmux of another test would
        count. `before` is done first, in the same place."""
        told = self.alone("sh", "-c", f"{before}\nlivesock doctor --json; true", **environment)
        findings = json.loads(told[told.index("{\n"):])["findings"]
        return [finding for finding in findings if "was removed" in finding["text"]]

    def check_left(self, shim, remedy, **environment):
        """The library at `shim` has to stay as long as a program names it, and `remedy` takes it away then."""
        os.makedirs(os.path.dirname(shim))
        shutil.copy(SHIM, shim)
        named = f"LD_PRELOAD={shim} sleep 60 &\nuntil grep -qs {shim} /proc/$!/environ; do :; done"
        (finding,) = self.left(named, **environment)
        self.assertEqual((finding["verdict"], finding["text"]),
                         ("ok", f"{shim}, of a livesock that was removed, stays: 1 program names it"))
        problem = self.the_problem(self.left(**environment))
        self.assertEqual((problem["text"], problem["remedy"]),
                         (f"{shim}, of a livesock that was removed, can go: nobody names it any more", remedy))
        self.assertEqual(self.left(remedy, **environment), [])
        self.assertFalse(os.path.exists(shim))

    def test_the_library_of_a_livesock_that_was_removed(self):
        shim = f"{self.sandbox.home}/.local/lib/system/livesock/liblivesock.so"
        self.check_left(shim, f"rm -r {os.path.dirname(shim)}")

    def test_the_library_that_install_sh_has_left(self):
        """As `install.sh --uninstall` leaves it while a program has it in LD_PRELOAD."""
        own = self.sandbox.directory("home", ".local", "share", "livesock")
        script = shutil.copy(os.path.join(ROOT, "tools/package.d/install.sh"), own)
        library = "lib/system/livesock/liblivesock.so"
        self.sandbox.file("home/.local/share/livesock/manifest",
                          f"{library}\nshare/livesock/install.sh\nshare/livesock/manifest\n")
        self.check_left(f"{self.sandbox.home}/.local/{library}", f"{script} --uninstall")
        self.assertFalse(os.path.exists(own))


if __name__ == "__main__":
    main()

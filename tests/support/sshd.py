"""A private sshd on loopback, and logins with a forwarded agent that can sleep, log out and vanish."""

import grp
import os
import re
import shlex
import signal
import socket
import subprocess

from . import proc
from .sandbox import is_socket
from .shell import Shell
from .waiting import eventually


def has_terminals():
    """Whether an sshd of this user can allocate terminals: it may not give them to the group that they are to have, so
    they must have it already (devpts with gid=5, as distributions mount it)."""
    if os.geteuid() == 0:
        return True
    near, far = os.openpty()
    try:
        return os.fstat(far).st_gid == grp.getgrnam("tty").gr_gid
    except KeyError:
        return True  # then sshd takes what is there
    finally:
        os.close(near)
        os.close(far)


def _free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Sshd:
    """A real sshd of the present user. `authorized` names the keys of the sandbox that may log in, besides `login`;
    `host_key` that by which it shows who it is: several hosts of a test have several. With `accounts` it is one for
    other users: their home directories say who may log in, and a login has the environment that sshd gives it. It
    listens at `address`, and is started by the words `inside`, if it lives in a namespace of its own."""

    def __init__(self, sandbox, *authorized, host_key="host", accounts=False, address="127.0.0.1", inside=()):
        self.sandbox = sandbox
        self.host_key = host_key
        self.accounts = accounts
        self.address, self._inside = address, inside
        self._name = f"sshd-{host_key}"
        self.directory = sandbox.directory(self._name)
        sandbox.file(f"{self._name}/authorized_keys",
                     "".join(sandbox.public_key(name) + "\n" for name in ("login", *authorized)))
        for _ in range(5):  # another program may take the port between the question and the bind
            self.port = _free_port()
            if self._start():
                break
        else:
            raise AssertionError("no free port for sshd:\n" + sandbox.log("sshd.log"))
        self._write_client_config()

    def _start(self):
        session = " ".join(f'"{name}={value}"' for name, value in self.sandbox.environment().items())
        keys = ".ssh/authorized_keys" if self.accounts else f"{self.directory}/authorized_keys"
        settings = f"AuthorizedKeysFile {keys}\n" + ("" if self.accounts else f"SetEnv {session}\n")
        config = self.sandbox.file(f"{self._name}/sshd_config", f"""\
ListenAddress {self.address}:{self.port}
HostKey {self.sandbox.key(self.host_key)}
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowAgentForwarding yes
PermitUserRC no
PrintMotd no
PrintLastLog no
MaxStartups 200
MaxSessions 200
LogLevel VERBOSE
{settings}""")
        path = next(path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/openssh/sshd")
                    if os.access(path, os.X_OK))
        self._process = self.sandbox.spawn(*self._inside, path, "-D", "-e", "-f", config, log="sshd.log")
        self.pid = self._process.pid
        eventually(lambda: f"{self.address} port {self.port}." in self.sandbox.log("sshd.log")
                   or self._process.poll() is not None, 10, lambda: "sshd:\n" + self.sandbox.log("sshd.log"))
        return self._process.poll() is None

    def _write_client_config(self):
        host_key = " ".join(self.sandbox.public_key(self.host_key).split()[:2])
        known_hosts = self.sandbox.file(f"{self._name}/known_hosts", f"[{self.address}]:{self.port} {host_key}\n")
        self.client_config = self.sandbox.file(f"{self._name}/ssh_config", f"""\
Host login
  IdentityFile {self.sandbox.key('login')}
  IdentitiesOnly yes
Host agent
  IdentityFile none
Host *
  HostName {self.address}
  Port {self.port}
  User {self.sandbox.user}
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ControlPath none
  LogLevel ERROR
""")

    @property
    def ssh(self):
        """The words of a shell command that reaches this sshd: add `login` (by a key of its own) or `agent` (by the
        keys of the agent only) and a command."""
        return f"ssh -F {shlex.quote(self.client_config)}"

    def close(self):
        """Ends the listener; sessions live on until their clients end."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()


class Login(Shell):
    """`ssh -A` to the private sshd, kept open, with the real agent at `agent` behind it.

    `auth_sock`, `connection` and `tty` are what the login shell has in SSH_AUTH_SOCK, SSH_CONNECTION and SSH_TTY. It has
    no terminal where there is none to be had. `inside` are words that start it in a namespace of its own.
    """

    def __init__(self, sandbox, sshd, agent, tty=True, port=None, options=(), inside=()):
        tty = tty and has_terminals()
        facts = sandbox.fresh("login")
        script = sandbox.file(os.path.basename(facts) + ".sh", f"""\
printf '%s\\n' "$SSH_AUTH_SOCK" "$SSH_CONNECTION" "$SSH_TTY" $$ >{facts}.tmp && mv {facts}.tmp {facts}
exec sh
""")
        words = [*inside, "ssh", "-F", sshd.client_config, "-A", "-tt" if tty else "-T", *options]
        if port:
            words += ["-p", str(port), "-o", f"HostKeyAlias=[{sshd.address}]:{sshd.port}"]
        self.agent = agent
        self._client = sandbox.spawn(*words, "login", f"exec sh {shlex.quote(script)}", log="ssh.log",
                                     stdin=subprocess.PIPE, SSH_AUTH_SOCK=agent)
        self.pid = self._client.pid
        super().__init__(sandbox, self._write)
        eventually(lambda: os.path.exists(facts) or self._client.poll() is not None, 15, "a login over ssh")
        if not os.path.exists(facts):
            raise AssertionError("ssh ended:\n" + sandbox.log("ssh.log") + sandbox.log("sshd.log"))
        with open(facts, encoding="utf-8") as file:
            self.auth_sock, self.connection, self.tty, shell = file.read().split("\n")[:4]
        self.shell_pid = int(shell)
        if not re.fullmatch(r"/.+/(agent|s)\..+", self.auth_sock):
            raise AssertionError(f"this login has no forwarded agent: {self.auth_sock!r}")

    @property
    def client_port(self):
        """The port the login came from: what tells logins over loopback apart."""
        return int(self.connection.split()[1])

    @property
    def connections(self):
        """How many connections to the forwarded agent socket sshd has open."""
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as file:
            return sum(1 for line in file if line.rstrip("\n").endswith(" " + self.auth_sock)) - 1

    def _write(self, text):
        self._client.stdin.write(text.encode())
        self._client.stdin.flush()

    def sleep(self):
        """The laptop's lid is closed: the connection stays, sshd accepts, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)
        eventually(lambda: proc.state(self.pid) == "T", 5, "ssh to stop")

    def wake(self):
        """The lid is opened."""
        os.kill(self.pid, signal.SIGCONT)

    def logout(self, within=10):
        """Leaves the shell; returns when ssh has ended and sshd has removed the socket."""
        try:
            if not self._client.stdin.closed:
                self._write("exit\n")
                self._client.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._client.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ssh did not end within {within} s of the logout: something holds the session, of:\n"
                                 + "\n".join(proc.command(pid) for pid in self.sandbox.place.processes())) from None
        self._wait_until_gone()

    def vanish(self):
        """The client is killed; returns when sshd has noticed and removed the socket."""
        if self._client.poll() is None:
            self._client.kill()
            self._client.wait()
        self._wait_until_gone()

    def _wait_until_gone(self):
        if self._client.stdin:
            try:
                self._client.stdin.close()
            except BrokenPipeError:
                pass
        eventually(lambda: not is_socket(self.auth_sock), 10, f"sshd to remove {self.auth_sock}")

    def close(self):
        """The end, whatever state it is in."""
        self.vanish()


#!/usr/bin/env python3
"""Draws man/picture.svg: what `livesock status` and `livesock watch` show in a terminal. See tools/picture.

Nothing is staged: two computers' agents, logins through a real sshd, one of which sleeps, a real tmux, and git. What the
two commands print, colours and all, is set in SVG as it is.
"""

import os
import pathlib
import re
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools" / "lib")]

from demo import World
from support import isolation
from support.sandbox import BUILD
from support.sshd import Login
from support.terminal import Terminal
from support.waiting import eventually

COLUMNS, ROWS = 100, 18
CONFIG = """\
[labels]
"127.0.0.2" = "laptop"
"127.0.0.3" = "desktop"
[probe]
interval = "200ms"
timeout = "600ms"
hung_after = "1200ms"
"""

# In units of a pixel: one character, the space around a screen, and what is above it for its name.
WIDTH, HEIGHT, MARGIN, BAR = 8.4, 18, 14, 30
STYLE = """
  text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre }
  .bar { fill: #8b919c }
  .b { font-weight: bold; fill: #ffffff } .r { fill: #ff7b72 } .g { fill: #7ee787 } .y { fill: #e3b341 }
"""
CLASSES = {"1": "b", "31": "r", "32": "g", "33": "y"}


def escaped(text):
    """As it stands in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spans(line):
    """A line with its colours as the content of a <text>."""
    out, colour = "", None
    for part in re.split("(\x1b\\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            colour = CLASSES.get(part[2:-1])
        elif part:
            out += f'<tspan class="{colour}">{escaped(part)}</tspan>' if colour else escaped(part)
    return out


def screen(title, lines, top):
    """A terminal that shows these lines, and where the next one can begin."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, BAR + len(lines) * HEIGHT + MARGIN
    out = [f'<rect y="{top}" width="{width:g}" height="{height}" rx="8" fill="#16191f"/>',
           f'<text class="bar" x="{MARGIN}" y="{top + 20}">{escaped(title)}</text>']
    for number, line in enumerate(lines):
        length = len(re.sub("\x1b\\[[0-9;]*m", "", line)) * WIDTH
        if length:  # whatever the font, columns stand below each other
            out.append(f'<text xml:space="preserve" x="{MARGIN}" y="{top + BAR + 14 + number * HEIGHT}" '
                       f'textLength="{length:g}" lengthAdjust="spacingAndGlyphs">{spans(line)}</text>')
    return out, top + height + MARGIN


def picture(screens):
    """The SVG of screens, each a title and its lines, one below the other."""
    body, top = [], 0
    for title, lines in screens:
        drawn, top = screen(title, lines, top)
        body += drawn
    width = COLUMNS * WIDTH + 2 * MARGIN
    names = " and ".join(title.rpartition("$ ")[2] for title, _ in screens)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{top - MARGIN}" '
                      f'viewBox="0 0 {width:g} {top - MARGIN}" role="img">',
                      f"<title>{escaped(names)} in a terminal</title>", f"<style>{STYLE}</style>", *body,
                      "</svg>", ""])


class Scene(World):
    """A pane that was opened from the desktop, which sleeps by now; the laptop has logged in since."""

    def __init__(self, place):
        super().__init__(place)
        self.sandbox.file("home/.config/livesock/livesock.toml", CONFIG)
        self.repository = self.sandbox.directory("home", "x.git")
        self.livesock = f"{BUILD}/livesock"

    def login_from(self, address, agent):
        """A login from a machine of that address."""
        return self.keep(Login(self.sandbox, self.sshd, agent.path, options=("-o", f"BindAddress={address}")))

    def act(self):
        """Returns the pane, when all of that has happened."""
        self.run("git", "init", "-q", "--bare", self.repository)
        self.run(self.livesock, "start")
        desktop = self.login_from("127.0.0.3", self.desktop)
        self.run("sh", "-c", self.tmux_of(desktop))
        laptop = self.login_from("127.0.0.2", self.laptop)
        self.wait_for_live(laptop)
        desktop.sleep()
        eventually(lambda: "hung" in self.run(self.livesock, "status", fails=True), 20, "the desktop to be asleep")
        eventually(lambda: "STAND-IN" in self.run(self.livesock, "status", fails=True), 20, "a stand-in")
        return self.server.pane()

    def tmux_of(self, login):
        """The words that start a tmux server in that login."""
        self.server = self.tmux()
        return f"SSH_AUTH_SOCK={shlex.quote(login.auth_sock)} {self.server.new()}"

    def run(self, *words, fails=False):
        """The output of a program, which must not fail."""
        done = self.sandbox.run(*words)
        if done.status != 0 and not fails:
            raise AssertionError(done)
        return done.out

    def fetch(self, pane):
        """git talks to the repository, by way of the old pane's path."""
        work = self.sandbox.directory("home", "src", "x")
        done = pane.run(f"cd {shlex.quote(work)} && GIT_SSH_COMMAND={shlex.quote(self.sshd.ssh)} "
                        f"git ls-remote agent:{shlex.quote(self.repository)} && ssh-add -l >/dev/null")
        if done.status != 0:
            raise AssertionError(done)

    def terminal(self, *words):
        """What is shown by livesock in a terminal, in the shell of the pane."""
        return self.keep(Terminal(self.sandbox, self.livesock, *words, columns=COLUMNS, rows=ROWS,
                                  SSH_AUTH_SOCK=f"{self.sandbox.livesock_dir}/agent.sock", LC_ALL="C.UTF-8"))

    def screens(self):
        """Both screens."""
        pane = self.act()
        watch = self.terminal("watch")
        eventually(lambda: "livesock is working" in watch.text, 10, "the live view")
        self.fetch(pane)
        eventually(lambda: re.search(r"git in ~/src/x, pane %0 +signature", "\n".join(watch.frame)), 10,
                   lambda: "\n".join(watch.frame))
        eventually(lambda: re.search("[▁▂▃▄▅▆▇█]{12}", watch.text), 10, lambda: watch.text)
        lines = watch.painted_frame
        status = self.terminal("status")
        status.process.wait(10)
        shown = status.read().replace("\r", "").rstrip("\n").split("\n")
        return [("pane$ livesock status", shown), ("pane$ livesock watch", lines)]


def main():
    target = pathlib.Path(sys.argv[1]).resolve()
    place = isolation.enter([str(ROOT), BUILD, str(target.parent)])
    scene = Scene(place)
    try:
        target.write_text(picture(scene.screens()), encoding="utf-8")
    except AssertionError as error:
        print(f"no picture: {error}\n{scene.sandbox.report()}", file=sys.stderr)
        return 1
    finally:
        scene.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())

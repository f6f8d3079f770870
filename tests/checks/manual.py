"""The manual pages are clean, and name what the programs know: no more and no less.

manual.py SOURCE_ROOT LIVESOCK LIVESOCKD

The programs are asked where they can tell (--help, --check-config); for the control protocol the
source is read.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv[1])
LIVESOCK, LIVESOCKD = sys.argv[2:4]
HAVE_MANDOC = shutil.which("mandoc") is not None

LONG_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def output(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class Page:
    """A page as mdoc source, and as a reader sees it."""

    def __init__(self, name):
        self.path = ROOT / "man" / name
        self.source = self.path.read_text(encoding="utf-8")

    @property
    def text(self):
        # Bold and underlined characters are overstruck.
        return re.sub(r".\x08", "", output("mandoc", "-T", "ascii", str(self.path)))

    def items(self):
        """The first words of all list items that begin with Cm."""
        return set().union(*self.subsections().values())

    def subsections(self):
        """The items that begin with Cm, by the subsection that they stand in."""
        found, current = {}, None
        for line in self.source.splitlines():
            words = line.split()
            if words[:1] in ([".Sh"], [".Ss"]):
                current = found.setdefault(" ".join(words[1:]), set())
            elif words[:2] == [".It", "Cm"] and current is not None:
                current.add(words[2])
        return found


@unittest.skipUnless(HAVE_MANDOC, "mandoc is not installed")
class Lint(unittest.TestCase):
    def test_pages_are_clean(self):
        pages = sorted(path for path in (ROOT / "man").iterdir() if re.search(r"\.[1-9]$", path.name))
        self.assertTrue(pages)
        for page in pages:
            with self.subTest(page=page.name):
                done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True,
                                      text=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (0, ""), done.stdout + done.stderr)


    def test_every_page_has_examples_that_can_be_typed(self):
        for page in sorted(path.name for path in (ROOT / "man").iterdir() if re.search(r"\.[1-9]$", path.name)):
            with self.subTest(page=page):
                _, found, rest = Page(page).source.partition("\n.Sh EXAMPLES\n")
                self.assertTrue(found)
                self.assertRegex(rest.partition("\n.Sh ")[0], r"(?m)^\.(Dl|Bd -literal)")


@unittest.skipUnless(HAVE_MANDOC, "mandoc is not installed")
class CommandLine(unittest.TestCase):
    def commands(self):
        section = output(LIVESOCK, "--help").split("\nCommands:\n", 1)[1].split("\n\n", 1)[0]
        commands = re.findall(r"^  (\w+)", section, re.MULTILINE)
        self.assertGreater(len(commands), 5)
        return commands

    def test_commands(self):
        self.assertEqual(Page("livesock.1").items(), set(self.commands()))

    def test_options_of_livesock(self):
        known = set(LONG_OPTION.findall(output(LIVESOCK, "--help")))
        items = dict(re.findall(r"^\.It Cm (\w+)(.*?)(?=^\.It Cm|^\.Sh|\Z)", Page("livesock.1").source,
                                re.MULTILINE | re.DOTALL))
        for command in self.commands():
            own = set(LONG_OPTION.findall(output(LIVESOCK, command, "--help")))
            missing = {option for option in own if option != "--help" and option[1:] not in items[command].split()}
            self.assertEqual(missing, set(), f"not told of {command}")
            known |= own
        self.same_options(known, "livesock.1")

    def test_options_of_livesockd(self):
        self.same_options(set(LONG_OPTION.findall(output(LIVESOCKD, "--help"))), "livesockd.8")

    def same_options(self, known, page):
        self.assertIn("--help", known)
        # A page may quote others' programs; its own options begin an item or stand in the synopsis.
        text = Page(page).text
        self.assertEqual(known - set(LONG_OPTION.findall(text)), set(), f"not in {page}")
        begins = {option for line in text.splitlines() if re.match(r"^\s*-", line) for option in LONG_OPTION.findall(line)}
        self.assertEqual(begins - known, set(), f"only in {page}")


class Configuration(unittest.TestCase):
    def check(self, text):
        """What a configuration is told."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return output(LIVESOCKD, "--check-config", "--config", file.name)

    def header(self, table):
        """How the table is written: there may be one of it, or several."""
        return f"[[{table}]]" if "expected an array of tables" in self.check(f"[{table}]\n") else f"[{table}]"

    def expected(self, text):
        """What a configuration with a wrong word in it is told: the words known at that place, and the keys."""
        said = self.check(text)
        if "expected an address" in said:  # the keys of this table are the user's own
            return [], []
        found = re.search(r"expected one of (?:the tables )?([\w, ]+?)(?:, or the key ([\w, ]+))?(?:;|$)", said)
        self.assertIsNotNone(found, said)
        return found[1].strip().split(", "), (found[2] or "").strip().split(", ")

    def test_keys(self):
        tables, keys = self.expected("zzz = 1\n")
        headers = [self.header(table) for table in tables]
        known = {header: set(self.expected(f"{header}\nzzz = 1\n")[0]) for header in headers}
        for header in list(known):
            for key in sorted(known[header]):
                # A table may have tables within it.
                inner = f"{header.strip('[]')}.{key}"
                if f"expected an array of tables: [[{inner}]]" in self.check(f"[{inner}]\n"):
                    known[header].discard(key)
                    known[f"[[{inner}]]"] = set(self.expected(f"[[{inner}]]\nzzz = 1\n")[0])
        self.assertIn("interval", known.get("[probe]", ()))
        page = Page("livesock.toml.5").subsections()
        self.assertEqual({name: keys for name, keys in page.items() if name[0] == "["}, known)
        self.assertEqual(page["Before the first table"], set(keys))


@unittest.skipUnless(HAVE_MANDOC, "mandoc is not installed")
class Protocol(unittest.TestCase):
    page = Page("livesock-protocol.7")

    def source(self, name):
        return (ROOT / "supervisor" / "control" / name).read_text(encoding="utf-8")

    def test_commands(self):
        known = set(re.findall(r'command == "(\w+)"', self.source("server_commands.cpp")))
        self.assertGreater(len(known), 5, "server_commands.cpp no longer looks as this check expects")
        described = {name for name in self.page.subsections() if re.fullmatch("[a-z]+", name)}
        self.assertEqual(described, known)

    def test_members_of_requests_and_answers(self):
        status = self.source("status.cpp")
        members = set(re.findall(r'\{"(\w+)",', status)) | set(re.findall(r'status\["(\w+)"\]', status))
        self.assertGreater(len(members), 20, "status.cpp no longer looks as this check expects")
        self.assertEqual(members - set(re.findall(r"\w+", self.page.text)), set(), "not in the manual")
        words = set(re.findall(r'"(\w+)"', status + "".join(map(self.source, ("server.cpp", "server_commands.cpp",
                                                                               "token_commands.cpp")))))
        self.assertEqual(self.page.items() - words, set(), "only in the manual")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

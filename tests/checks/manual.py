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

MACRO = re.compile(r"^[A-Z][a-z]$")
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

    def items(self, *macros):
        """The first words of the list items that begin with one of these macros (any, if none)."""
        found = set()
        for line in self.source.splitlines():
            words = line.replace('"', " ").split()
            if words[:1] == [".It"] and len(words) > 1 and (not macros or words[1] in macros):
                plain = [word.strip("[],=") for word in words[1:] if not MACRO.match(word)]
                found.update(plain[:1])
        return found

    def item_words(self):
        """All words of all list items' heads."""
        heads = " ".join(line for line in self.source.splitlines() if line.startswith(".It"))
        return set(re.findall(r"\w[\w-]*", heads))


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


@unittest.skipUnless(HAVE_MANDOC, "mandoc is not installed")
class CommandLine(unittest.TestCase):
    def commands(self):
        section = output(LIVESOCK, "--help").split("\nCommands:\n", 1)[1].split("\n\n", 1)[0]
        commands = re.findall(r"^  (\w+)", section, re.MULTILINE)
        self.assertGreater(len(commands), 5)
        return commands

    def test_every_command_has_its_item_and_every_item_is_a_command(self):
        page = Page("livesock.1")
        self.assertEqual(set(self.commands()) - page.item_words(), set(), "not in the manual")
        self.assertEqual(page.items("Ic", "Cm") - set(self.commands()), set(), "only in the manual")

    def test_options_of_livesock(self):
        known = set(LONG_OPTION.findall(output(LIVESOCK, "--help")))
        for command in self.commands():
            known |= set(LONG_OPTION.findall(output(LIVESOCK, command, "--help")))
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
    def expected(self, text):
        """What a configuration with a wrong word in it is told: the words known at that place."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            said = output(LIVESOCKD, "--check-config", "--config", file.name)
        found = re.search(r"expected one of (?:the tables )?([\w, ]+)", said)
        self.assertIsNotNone(found, said)
        return found[1].strip().split(", ")

    def test_keys(self):
        page = Page("livesock.toml.5")
        sections = self.expected("zzz = 1\n")
        self.assertIn("probe", sections)
        known = set(sections)
        for section in sections:
            keys = self.expected(f"[{section}]\nzzz = 1\n")
            known |= set(keys) | {f"{section}.{key}" for key in keys}
        plain = {word for word in known if "." not in word}
        self.assertEqual(plain - page.item_words() - set(re.findall(r"\w+", page.text)), set(), "not in the manual")
        self.assertEqual(page.items("Va", "Ic", "Cm", "Li") - known, set(), "only in the manual")


class Protocol(unittest.TestCase):
    def source(self, name):
        return (ROOT / "supervisor" / "control" / name).read_text(encoding="utf-8")

    def test_commands(self):
        known = set(re.findall(r'command == "(\w+)"', self.source("server.cpp")))
        self.assertGreater(len(known), 5, "server.cpp no longer looks as this check expects")
        described = set(re.findall(r"^\.Ss ([a-z]\w*)$", Page("livesock-protocol.7").source, re.MULTILINE))
        self.assertEqual(known, described)

    def test_members_of_the_status(self):
        source = self.source("status.cpp")
        members = set(re.findall(r'\{"(\w+)",', source)) | set(re.findall(r'status\["(\w+)"\]', source))
        self.assertGreater(len(members), 10, "status.cpp no longer looks as this check expects")
        words = set(re.findall(r"\w+", Page("livesock-protocol.7").text))
        self.assertEqual(members - words, set(), "not in the manual")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

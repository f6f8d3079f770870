"""The picture of README.md: tools/lib/picture.py still draws one like it from a real run."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURE = "man/picture.svg"


def lines(svg):
    """What can be read in a picture."""
    texts = xml.etree.ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()) for text in texts]


def heads(svg):
    """The lines in capitals, which name the columns of what is shown."""
    return [" ".join(line.split()) for line in lines(svg) if re.fullmatch("[A-Z -]+", line)]


class Picture(unittest.TestCase):
    def test_it_is_drawn_anew_as_it_was(self):
        kept = (ROOT / PICTURE).read_text(encoding="utf-8")
        self.assertIn(f"({PICTURE})", (ROOT / "README.md").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as directory:
            target = os.path.join(directory, "picture.svg")
            done = subprocess.run([sys.executable, ROOT / "tools/lib/picture.py", target], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            drawn = pathlib.Path(target).read_text(encoding="utf-8")
        shown = "\n".join(lines(drawn))
        for words in ("ssh uses the agent of laptop (127.0.0.2) on ", "desktop (127.0.0.3) on ", "git in ~/src/x, pane %0"):
            self.assertIn(words, shown)
        self.assertGreater(len(heads(drawn)), 3)
        self.assertEqual(heads(kept), heads(drawn))


if __name__ == "__main__":
    unittest.main()

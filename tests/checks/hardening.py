"""The programs are built as hardened as the compiler can: hardening.py PROGRAM...

Read with readelf(1): what counts is what came out of the linker, not which flags were given to it.
"""

import re
import subprocess
import sys
import unittest


def readelf(option, program):
    return subprocess.run(["readelf", "-W", option, program], capture_output=True, text=True, check=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


class Hardening(unittest.TestCase):
    programs = []
    optimised = True

    def each(self, option):
        self.assertTrue(self.programs)
        return [(program, readelf(option, program)) for program in self.programs]

    def flags(self, headers, kind):
        return re.findall(rf"^ +{kind} +(?:0x\w+ +){{5}}([RWE ]{{3}})", headers, re.MULTILINE)

    def test_position_independent(self):
        for program, header in self.each("-h"):
            self.assertRegex(header, r"Type: +DYN", program)
        for program, dynamic in self.each("-d"):
            self.assertRegex(dynamic, r"\(FLAGS_1\).*\bPIE\b", program)

    def test_relocations_are_read_only_from_the_start(self):
        for program, headers in self.each("-l"):
            self.assertEqual(len(self.flags(headers, "GNU_RELRO")), 1, program)
        for program, dynamic in self.each("-d"):
            self.assertRegex(dynamic, r"\(FLAGS\).*\bBIND_NOW\b|\(BIND_NOW\)|\(FLAGS_1\).*\bNOW\b", program)
            self.assertNotIn("TEXTREL", dynamic, program)

    def test_nothing_is_writable_and_executable(self):
        for program, headers in self.each("-l"):
            self.assertEqual(self.flags(headers, "GNU_STACK"), ["RW "], program)
            loads = self.flags(headers, "LOAD")
            self.assertTrue(loads, program)
            self.assertFalse([each for each in loads if "W" in each and "E" in each], program)

    def test_libraries_are_found_by_the_systems_path_only(self):
        for program, dynamic in self.each("-d"):
            self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH)\)", program)

    def test_stack_protector(self):
        for program, symbols in self.each("--dyn-syms"):
            self.assertIn("__stack_chk_fail", symbols, program)

    def test_fortified_libc_calls(self):
        if not self.optimised:
            self.skipTest("an unoptimised build has none")
        for program, symbols in self.each("--dyn-syms"):
            self.assertRegex(symbols, r"__\w+_chk\b", program)


if __name__ == "__main__":
    words = sys.argv[1:]
    Hardening.optimised = "--unoptimised" not in words
    Hardening.programs = [word for word in words if not word.startswith("--")]
    unittest.main(argv=sys.argv[:1], verbosity=1)

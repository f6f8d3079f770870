#!/usr/bin/env python3
"""Checks liblivesock.so as a file: every process loads it, so the file itself is a contract.

usage: shim_elf.py FILE

Reads the ELF structures itself (64-bit, little-endian); needs no binutils.
"""

import struct
import sys
import unittest

SIZE_LIMIT = 8192
ALLOWED_REFERENCES = {"dlsym", "__errno_location", "environ", "__connect", "getauxval"}

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS = 1, 2, 3, 7
PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = (
    0x6474E550, 0x6474E551, 0x6474E552, 0x6474E553)
PF_X, PF_W, PF_R = 1, 2, 4
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_STRSZ = 1, 4, 5, 6, 7, 8, 10
DT_INIT, DT_FINI, DT_RPATH, DT_TEXTREL, DT_JMPREL, DT_BIND_NOW = 12, 13, 15, 22, 23, 24
DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_RUNPATH, DT_FLAGS = 27, 28, 29, 30
DT_GNU_HASH, DT_VERSYM, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFB
DT_VERDEF, DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE
DF_SYMBOLIC, DF_TEXTREL, DF_BIND_NOW, DF_STATIC_TLS = 2, 4, 8, 16
DF_1_NOW = 1
STB_WEAK, STT_FUNC, STT_TLS, STT_GNU_IFUNC = 2, 2, 6, 10
EM_X86_64, EM_AARCH64 = 62, 183
R_RELATIVE = {EM_X86_64: 8, EM_AARCH64: 1027}
R_GLOB_DAT = {EM_X86_64: 6, EM_AARCH64: 1025}


class Elf:
    """A shared object as the dynamic loader sees it: by program headers alone."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise SystemExit(f"{path}: not a 64-bit little-endian ELF file")
        self.machine = struct.unpack_from("<H", self.data, 18)[0]
        offset, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        # (type, flags, offset, vaddr, paddr, filesz, memsz, align)
        self.segments = [struct.unpack_from("<IIQQQQQQ", self.data, offset + i * size)
                         for i in range(count)]
        self.dynamic = []
        _, _, offset, _, _, size, _, _ = self.segment(PT_DYNAMIC)
        for position in range(offset, offset + size, 16):
            tag, value = struct.unpack_from("<QQ", self.data, position)
            if tag == 0:
                break
            self.dynamic.append((tag, value))
        self.symbols = list(self._symbols())
        self.relocations = list(self._relocations())

    def segment(self, kind):
        found = [segment for segment in self.segments if segment[0] == kind]
        return found[0] if found else None

    def tag(self, wanted):
        values = [value for tag, value in self.dynamic if tag == wanted]
        return values[0] if values else None

    def at(self, address):
        """File offset of a virtual address."""
        for kind, _, offset, vaddr, _, filesz, _, _ in self.segments:
            if kind == PT_LOAD and vaddr <= address < vaddr + filesz:
                return offset + address - vaddr
        raise AssertionError(f"address {address:#x} is in no segment")

    def _symbols(self):
        strings = self.at(self.tag(DT_STRTAB))
        table = self.at(self.tag(DT_SYMTAB))
        _, count = struct.unpack_from("<II", self.data, self.at(self.tag(DT_HASH)))
        for i in range(1, count):
            name, info, other, section, value, _ = struct.unpack_from(
                "<IBBHQQ", self.data, table + i * 24)
            end = self.data.index(b"\0", strings + name)
            yield {"name": self.data[strings + name:end].decode(), "bind": info >> 4,
                   "type": info & 15, "defined": section != 0, "value": value,
                   "visibility": other & 3}

    def _relocations(self):
        if self.tag(DT_RELA) is None:
            return
        table = self.at(self.tag(DT_RELA))
        for position in range(table, table + self.tag(DT_RELASZ), 24):
            offset, info, _ = struct.unpack_from("<QQq", self.data, position)
            symbol = info >> 32
            yield offset, info & 0xFFFFFFFF, self.symbols[symbol - 1]["name"] if symbol else None


class ShimFile(unittest.TestCase):
    path = None

    @classmethod
    def setUpClass(cls):
        cls.elf = Elf(cls.path)

    def test_fits_two_pages(self):
        self.assertLessEqual(len(self.elf.data), SIZE_LIMIT)

    def test_needs_no_library(self):
        self.assertIsNone(self.elf.tag(DT_NEEDED))
        self.assertIsNone(self.elf.tag(DT_RPATH))
        self.assertIsNone(self.elf.tag(DT_RUNPATH))
        self.assertIsNone(self.elf.segment(PT_INTERP))

    def test_exports_connect_and_nothing_else(self):
        exports = [symbol for symbol in self.elf.symbols if symbol["defined"]]
        self.assertEqual([symbol["name"] for symbol in exports], ["connect"])
        self.assertEqual(exports[0]["type"], STT_FUNC)
        self.assertEqual(exports[0]["visibility"], 0)

    def test_refers_weakly_and_only_to_what_every_libc_may_lack(self):
        references = [symbol for symbol in self.elf.symbols if not symbol["defined"]]
        self.assertLessEqual({symbol["name"] for symbol in references}, ALLOWED_REFERENCES)
        for symbol in references:
            self.assertEqual(symbol["bind"], STB_WEAK, symbol["name"])

    def test_has_no_symbol_versions(self):
        for tag in DT_VERSYM, DT_VERNEED, DT_VERDEF:
            self.assertIsNone(self.elf.tag(tag))

    def test_has_no_tls_and_no_ifunc(self):
        self.assertIsNone(self.elf.segment(PT_TLS))
        self.assertFalse((self.elf.tag(DT_FLAGS) or 0) & DF_STATIC_TLS)
        for symbol in self.elf.symbols:
            self.assertNotIn(symbol["type"], (STT_TLS, STT_GNU_IFUNC), symbol["name"])

    def test_text_is_never_relocated(self):
        self.assertIsNone(self.elf.tag(DT_TEXTREL))
        self.assertFalse((self.elf.tag(DT_FLAGS) or 0) & DF_TEXTREL)

    def test_only_plain_relocations(self):
        self.assertIsNone(self.elf.tag(DT_JMPREL), "no lazy binding, no PLT")
        allowed = {R_RELATIVE[self.elf.machine], R_GLOB_DAT[self.elf.machine]}
        self.assertLessEqual({kind for _, kind, _ in self.elf.relocations}, allowed)

    def test_two_segments_one_of_text_one_of_data(self):
        flags = [segment[1] for segment in self.elf.segments if segment[0] == PT_LOAD]
        self.assertEqual(flags, [PF_R | PF_X, PF_R | PF_W])

    def test_stack_is_not_executable(self):
        stack = self.elf.segment(PT_GNU_STACK)
        self.assertIsNotNone(stack, "without PT_GNU_STACK every stack becomes executable")
        self.assertEqual(stack[1], PF_R | PF_W)

    def test_everything_is_bound_at_load_and_then_read_only(self):
        self.assertTrue((self.elf.tag(DT_FLAGS) or 0) & DF_BIND_NOW
                        or self.elf.tag(DT_BIND_NOW) is not None)
        self.assertTrue((self.elf.tag(DT_FLAGS_1) or 0) & DF_1_NOW)
        relro = self.elf.segment(PT_GNU_RELRO)
        self.assertIsNotNone(relro)
        begin, end = relro[3], relro[3] + relro[6]
        # The loader protects whole pages, rounding the end down.
        self.assertEqual(end % 4096, 0)
        for offset, _, name in self.elf.relocations:
            self.assertTrue(begin <= offset < end, f"{name} stays writable")

    def test_can_be_unwound(self):
        frames = self.elf.segment(PT_GNU_EH_FRAME)
        self.assertIsNotNone(frames, "destructors of cancelled callers would be skipped")
        version, pointer, count_encoding, _ = self.elf.data[frames[2]:frames[2] + 4]
        self.assertEqual((version, pointer, count_encoding), (1, 0x1B, 0x03))
        count, = struct.unpack_from("<I", self.elf.data, frames[2] + 8)
        connect = next(symbol for symbol in self.elf.symbols if symbol["name"] == "connect")
        starts = [struct.unpack_from("<i", self.elf.data, frames[2] + 12 + i * 8)[0] + frames[3]
                  for i in range(count)]
        self.assertIn(connect["value"], starts)

    def test_both_hash_tables(self):
        self.assertIsNotNone(self.elf.tag(DT_HASH))
        self.assertIsNotNone(self.elf.tag(DT_GNU_HASH))

    def test_one_constructor_and_nothing_at_exit(self):
        self.assertEqual(self.elf.tag(DT_INIT_ARRAYSZ), 8)
        for tag in DT_INIT, DT_FINI, DT_FINI_ARRAYSZ:
            self.assertIsNone(self.elf.tag(tag))

    def test_is_not_bound_to_itself(self):
        self.assertFalse((self.elf.tag(DT_FLAGS) or 0) & DF_SYMBOLIC)

    def test_control_flow_is_protected(self):
        if self.elf.machine != EM_X86_64:
            self.skipTest("x86-64 only")
        note = self.elf.segment(PT_GNU_PROPERTY)
        self.assertIsNotNone(note)
        # Elf64_Nhdr, "GNU\0", then one property: GNU_PROPERTY_X86_FEATURE_1_AND, 4 bytes, flags.
        kind, size, features = struct.unpack_from("<III", self.elf.data, note[2] + 16)
        self.assertEqual((kind, size), (0xC0000002, 4))
        self.assertEqual(features & 3, 3, "IBT and SHSTK")

    def test_dlsym_is_called_and_never_jumped_to(self):
        # dlsym() takes "after the object that calls me" from its return address.
        if self.elf.machine != EM_X86_64:
            self.skipTest("reads x86-64 instructions only")
        slot = next(offset for offset, _, name in self.elf.relocations if name == "dlsym")
        _, _, offset, vaddr, _, size, _, _ = next(
            segment for segment in self.elf.segments if segment[0] == PT_LOAD)
        text = self.elf.data[offset:offset + size]
        uses = {"call": 0, "jump": 0}
        for i in range(len(text) - 6):
            if text[i] == 0xFF and text[i + 1] in (0x15, 0x25):
                target = vaddr + i + 6 + struct.unpack_from("<i", text, i + 2)[0]
                if target == slot:
                    uses["call" if text[i + 1] == 0x15 else "jump"] += 1
        self.assertEqual(uses["jump"], 0)
        self.assertGreater(uses["call"], 0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    ShimFile.path = sys.argv.pop(1)
    unittest.main(verbosity=2)

"""Dependencies point down only, and a name means one thing: reads the sources against the order of the layers.

layering.py SOURCE_ROOT
"""

import fnmatch
import pathlib
import re
import sys
import unittest

# A layer, and the layers that it may name besides itself. The names in the runtime directory
# (preload/report.h) are everybody's.
BELOW = {
    "preload": (),
    "supervisor/base": (),
    "supervisor/loop": ("supervisor/base",),
    "supervisor/agent": ("supervisor/base", "supervisor/loop"),
    "supervisor/upstream": ("supervisor/base", "supervisor/loop", "supervisor/agent"),
    "supervisor/http": ("supervisor/base", "supervisor/loop"),
}
UP_TO_UPSTREAM = (*BELOW["supervisor/upstream"], "supervisor/upstream")
BELOW["supervisor/proxy"] = UP_TO_UPSTREAM
BELOW |= {f"supervisor/{name}": (*UP_TO_UPSTREAM, "supervisor/http") for name in ("control", "signing", "broker")}
BELOW["supervisor/daemon"] = tuple(name for name in BELOW if name.startswith("supervisor/"))
BELOW["tools"] = ("supervisor/base",)

EVERYBODYS = ("preload/report.h",)

# Single headers of layers that a layer otherwise does not see.
ALSO = {"tools": ("supervisor/control/client.hpp", "supervisor/control/protocol.hpp")}

# Headers that are costly or whose library throws, and the only files that may include them; the first
# pattern that matches counts.
CONFINED = {
    "CLI/*": ("tools/main.cpp",),
    "toml++/*": ("supervisor/daemon/toml.hpp",),
    "supervisor/daemon/toml.hpp": ("supervisor/daemon/toml.cpp", "supervisor/daemon/config_reader.hpp"),
    "supervisor/daemon/config_reader.hpp": ("supervisor/daemon/config*.cpp",),
    "nlohmann/json_fwd.hpp": ("supervisor/control/*", "supervisor/broker/*", "tools/*"),
    "nlohmann/*": ("supervisor/control/*.cpp", "supervisor/broker/*.cpp", "tools/*.cpp"),
    "event2/*": ("supervisor/loop/*",),
    "sodium*": ("supervisor/*.cpp",),
}

# What all files of a library include anyway, for the compiler's sake.
PRECOMPILED = "supervisor/precompiled/"

# A type that a header defines, whose name no other header may give to another one: the linker would
# take one's functions for the other's, and say nothing.
TYPE = re.compile(r"^(?:struct|class|enum class|union) (\w+)[^;{]*\{", re.MULTILINE)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path):
    """The layer that a file of the repository belongs to."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "supervisor" else parts[0]


def complaint(path, include, quoted):
    """Why the file at `path` must not include this; None where it may."""
    layer = layer_of(path)
    if layer not in BELOW:
        return f"'{layer}' is no known layer"
    for pattern, allowed in CONFINED.items():
        if fnmatch.fnmatch(include, pattern):
            fine = any(fnmatch.fnmatch(path, each) for each in allowed)
            return None if fine else f"only {', '.join(allowed)} may include {include}"
    if not quoted:
        return None
    if layer_of(include) not in BELOW:
        return f'"{include}" does not begin with a layer'
    if include in EVERYBODYS or include in ALSO.get(layer, ()):
        return None
    if layer_of(include) != layer and layer_of(include) not in BELOW[layer]:
        return f'{layer} is below, or beside, {layer_of(include)}: "{include}"'
    return None


def sources(root):
    for top in ("preload", "supervisor", "tools"):
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in (".cpp", ".hpp", ".h", ".c") and not name.startswith(PRECOMPILED):
                yield name, path.read_text(encoding="utf-8")


class Rules(unittest.TestCase):
    def refused(self, path, include, quoted=True):
        self.assertIsNotNone(complaint(path, include, quoted), f"{path} includes {include}")

    def allowed(self, path, include, quoted=True):
        self.assertIsNone(complaint(path, include, quoted), f"{path} includes {include}")

    def test_upwards_is_refused(self):
        self.refused("supervisor/base/log.cpp", "supervisor/loop/event_loop.hpp")
        self.refused("supervisor/agent/probe.cpp", "supervisor/upstream/candidate.hpp")
        self.refused("preload/redirect.cpp", "supervisor/base/result.hpp")
        self.refused("supervisor/daemon/main.cpp", "tools/print.hpp")

    def test_sideways_is_refused(self):
        self.refused("supervisor/control/server.cpp", "supervisor/proxy/proxy.hpp")

    def test_downwards_is_allowed(self):
        self.allowed("supervisor/daemon/main.cpp", "supervisor/proxy/proxy.hpp")
        self.allowed("supervisor/upstream/candidate.hpp", "supervisor/base/result.hpp")
        self.allowed("tools/run.cpp", "preload/report.h")

    def test_of_the_shim_only_the_names_are_seen(self):
        self.refused("supervisor/base/runtime_dir.cpp", "preload/redirect.hpp")

    def test_the_command_line_sees_only_the_control_client(self):
        self.allowed("tools/status.cpp", "supervisor/control/client.hpp")
        self.refused("tools/status.cpp", "supervisor/control/server.hpp")
        self.refused("tools/status.cpp", "supervisor/proxy/proxy.hpp")

    def test_costly_libraries_stay_where_they_are(self):
        self.allowed("tools/main.cpp", "CLI/CLI.hpp", quoted=False)
        self.refused("tools/run.cpp", "CLI/CLI.hpp", quoted=False)
        self.refused("supervisor/daemon/config.hpp", "toml++/toml.h", quoted=False)
        self.refused("supervisor/daemon/supervisor.cpp", "supervisor/daemon/config_reader.hpp")
        self.allowed("supervisor/daemon/config_sections.cpp", "supervisor/daemon/config_reader.hpp")
        self.refused("supervisor/control/status.hpp", "nlohmann/json.hpp", quoted=False)


class Sources(unittest.TestCase):
    root = None

    def test_every_include_points_down(self):
        complaints, seen = [], 0
        for path, text in sources(self.root):
            for bracket, include in INCLUDE.findall(text):
                seen += 1
                why = complaint(path, include, bracket == '"')
                if why:
                    complaints.append(f"{path}: {why}")
        self.assertGreater(seen, 0, "no sources found")
        self.assertEqual(complaints, [], "\n" + "\n".join(complaints))

    def test_no_two_headers_define_types_of_one_name(self):
        where = {}
        for path, text in sources(self.root):
            for name in set(TYPE.findall(text)) if path.endswith((".h", ".hpp")) else ():
                where.setdefault(name, []).append(path)
        self.assertGreater(len(where), 0, "no types found")
        self.assertEqual({name: paths for name, paths in where.items() if len(paths) > 1}, {})


if __name__ == "__main__":
    Sources.root = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=1)

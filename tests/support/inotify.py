"""What happens to the names in a directory, as the kernel tells it: nothing is too short to be seen."""

import ctypes
import os
import struct

_KINDS = {0x20: "opened", 0x40: "moved from", 0x80: "moved to", 0x100: "created", 0x200: "deleted"}

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryEvents:
    """Records from now on."""

    def __init__(self, directory):
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or _libc.inotify_add_watch(self._fd, os.fsencode(directory), sum(_KINDS)) < 0:
            raise OSError(ctypes.get_errno(), "cannot watch " + directory)
        self._seen = []

    def of(self, name):
        """What has happened to `name`, in order."""
        try:
            while True:
                self._parse(os.read(self._fd, 65536))
        except BlockingIOError:
            return [kind for kind, seen in self._seen if seen == name]

    def _parse(self, data):
        while data:
            _, mask, _, length = struct.unpack_from("iIII", data)
            name = os.fsdecode(data[16:16 + length].rstrip(b"\0"))
            self._seen += [(kind, name) for bit, kind in _KINDS.items() if mask & bit]
            data = data[16 + length:]

    def close(self):
        """Stops recording."""
        os.close(self._fd)

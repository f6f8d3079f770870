"""Whether vsock(7) can be tried within this machine."""

import socket

LOCAL = 1  # VMADDR_CID_LOCAL


def no_vsock():
    """Why it cannot; None if it can."""
    try:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
            listener.bind((socket.VMADDR_CID_ANY, 7229))
            listener.listen(1)
            with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as client:
                client.settimeout(3)
                client.connect((LOCAL, 7229))
    except (OSError, AttributeError) as error:
        return f"no loopback vsock here ({error}): load vsock_loopback"
    return None

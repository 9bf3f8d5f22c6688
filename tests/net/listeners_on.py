"""TCP listeners on every address: PORT... Accepts, and closes when the client does. Prints `ready`."""

import selectors
import socket
import sys

poll = selectors.DefaultSelector()
for port in sys.argv[1:]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(port)))
    listener.listen(16)
    poll.register(listener, selectors.EVENT_READ, True)
print("ready", flush=True)
while True:
    for key, _ in poll.select():
        if key.data:
            poll.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)
        elif not key.fileobj.recv(1024):
            poll.unregister(key.fileobj)
            key.fileobj.close()

"""Passes connections of an inherited listening socket on to a port of this network namespace.

    python3 -m zbxlab.relay DESCRIPTOR PORT
"""

import socket
import sys
import threading


def main(descriptor, port):
    listener = socket.socket(fileno=descriptor)
    try:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, port), daemon=True).start()
    except KeyboardInterrupt:
        return


def serve(client, port):
    try:
        upstream = socket.create_connection(("127.0.0.1", port))
    except OSError:
        client.close()
        return
    back = threading.Thread(target=copy, args=(upstream, client), daemon=True)
    back.start()
    copy(client, upstream)
    back.join()
    client.close()
    upstream.close()


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

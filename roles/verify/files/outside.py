"""A host of the external network: tells whoever connects under which address it sees him.

    outside.py serve ADDRESS PORT     answer every connection with the client's address
    outside.py get ADDRESS            print what a web server says
    outside.py hold ADDRESS SECONDS   keep a connection to port 80 open, so that the other side can look at it
"""
import socket
import sys
import time


def serve(address: str, port: str) -> None:
    with socket.create_server((address, int(port))) as listening:
        while True:
            connection, client = listening.accept()
            with connection:
                connection.sendall(f"{client[0]}\n".encode())


def get(address: str) -> None:
    with socket.create_connection((address, 80), 5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while piece := connection.recv(4096):
            sys.stdout.write(piece.decode())


def hold(address: str, seconds: str) -> None:
    with socket.create_connection((address, 80), 5):
        time.sleep(float(seconds))


if __name__ == "__main__":
    {"serve": serve, "get": get, "hold": hold}[sys.argv[1]](*sys.argv[2:])

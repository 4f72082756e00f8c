"""HTTP by hand: a server program to be rude to, and sockets that send exactly the bytes they are told to."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
FIXTURE = os.environ.get("HTTPD_FIXTURE", str(BUILD / "tests" / "httpd_fixture"))
DEADLINE_S = 60  # far beyond what any machine needs: slow is no failure, broken is


class Server:
    def __init__(self, *args):
        self.process = subprocess.Popen([FIXTURE, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), f"{FIXTURE} did not start: {self.process.communicate()[1]}"
        self.port = int(line)
        self.err = ""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.stop()

    def stop(self):
        """SIGTERM; the exit code. AddressSanitizer makes it another one than 0 when it found something."""
        self.process.send_signal(signal.SIGTERM)
        self.err += self.process.communicate(timeout=DEADLINE_S)[1]
        assert self.process.returncode == 0, self.err
        return self.process.returncode

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def client(self, **options):
        return Client(self.port, **options)

    def ask(self, request):
        """One request on a connection of its own."""
        with self.client() as client:
            client.send(request)
            return client.reply()

    def get(self, path, *lines):
        return self.ask(get(path, *lines))

    def stats(self):
        return self.get("/stats").json()


def get(path, *lines, method="GET", host="localhost"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""])


class Reply:
    def __init__(self, head, body):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = body

    def json(self):
        import json
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Closed(Exception):
    """The server ended the connection before the reply was whole."""


class Client:
    def __init__(self, port, source=None, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self.buffer[:200])
        self.buffer += data

    def until(self, mark):
        """What came up to and with mark."""
        while mark not in self.buffer:
            self.more()
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def reply(self, head_only=False):
        head = self.until(b"\r\n\r\n")[:-4]
        reply = Reply(head, b"")
        length = 0 if head_only or reply.status == 304 else int(reply.headers.get("content-length", 0))
        while len(self.buffer) < length:
            self.more()
        reply.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return reply

    def closed_within(self, seconds):
        """Seconds until the server closed; fails when it does not."""
        begun = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while True:
                self.more()
        except Closed:
            return time.monotonic() - begun
        except TimeoutError:
            raise AssertionError(f"still open after {seconds} s; it said {self.buffer[:200]!r}") from None

    def is_open(self):
        """Nothing to read, not closed, now."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(DEADLINE_S)


def wait_for(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s; last seen: {value!r}"
        time.sleep(0.02)


def events(text):
    """(event, data) of each event in an SSE stream, chunk framing and comments left out."""
    return re.findall(r"event: (\w+)\ndata: (.*)\n", text.decode())

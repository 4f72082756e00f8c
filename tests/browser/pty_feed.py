"""pty_feed.py LINK: a serial port that is none. Opens a pty, makes LINK point to it, says "ready", and writes to it what
comes on standard input, with the line ends of a NerdMiner. Ends, and takes LINK away, when standard input does."""
import os
import pty
import signal
import sys
import threading
import tty


def swallow(fd):
    """What the daemon writes to the port is of no interest, but somebody has to read it."""
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass


def main():
    link = sys.argv[1]
    master, slave = pty.openpty()  # the slave stays open: the port is there before the daemon opens it
    tty.setraw(slave)
    os.symlink(os.ttyname(slave), link)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=swallow, args=(master,), daemon=True).start()
    print("ready", flush=True)
    try:
        for line in sys.stdin.buffer:
            os.write(master, line.rstrip(b"\n") + b"\r\n")
    finally:
        os.unlink(link)


main()

"""What evhttp does not guard: each rule of the checklist in core/http/README.md, tried from outside against
httpd_fixture (the HTTP room alone, with pages of its own)."""
import os
import socket
import time

import pytest
from httpraw import Client, Closed, Server, events, get, wait_for

RSS_SLACK = 24 << 20  # AddressSanitizer's own memory included; the floods below are several times that


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def quick():
    """A deadline of one second."""
    with Server("--deadline", 1000) as running:
        yield running


# ---- rule 1: sizes --------------------------------------------------------------------------------------------------


def test_rule_01_headers_over_8_kib(server):
    assert server.get("/", "X-Fill: " + "x" * 7000).status == 200
    assert server.get("/", "X-Fill: " + "x" * 9000).status == 400
    assert server.get("/" + "x" * 9000).status == 400


def test_rule_01_body_over_64_kib(server):
    body = "x" * 65536
    head = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    assert server.ask(head + body).body == body.encode()
    with server.client() as client:
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n")
        assert client.reply().status == 413
        client.closed_within(10)
    with server.client() as client:  # and in pieces that never say how much it will be
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("10001\r\n")
        assert client.reply().status == 413


def test_rule_01_a_header_line_of_20_mb_costs_no_memory(server):
    before = server.rss_bytes()
    with server.client() as client:
        piece = b"x" * 65536
        client.send("GET / HTTP/1.1\r\nX-Endless: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(20 << 4):
                client.send(piece)
            client.closed_within(10)
            raise BrokenPipeError
    assert server.rss_bytes() - before < RSS_SLACK
    assert server.get("/").status == 200


# ---- rule 2: deadlines ----------------------------------------------------------------------------------------------


def test_rule_02_slowloris_is_cut(quick):
    with quick.client() as client:
        begun = time.monotonic()
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - begun < 30:
                client.send("x")
                client.socket.settimeout(0.1)
                try:
                    client.more()
                except TimeoutError:
                    pass
        assert 0.9 < time.monotonic() - begun < 10
    assert quick.stats()["rejected_deadline"] == 1


def test_rule_02_a_slow_body_is_cut(quick):
    with quick.client() as client:
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
        assert client.closed_within(10) > 0.8


def test_rule_02_time_begins_with_each_request():
    with Server("--deadline", 2500) as server, server.client() as client:
        for _ in range(2):
            time.sleep(1.4)  # idle: has a deadline of its own
            client.send("GET / HTTP/1.1\r\n")
            time.sleep(1.4)
            client.send("Host: localhost\r\n\r\n")
            assert client.reply().status == 200


# ---- rule 3: caps ---------------------------------------------------------------------------------------------------


def test_rule_03_cap_in_all_and_room_again():
    with Server("--max", 8, "--deadline", 1000) as server:
        crowd = [server.client() for _ in range(20)]
        assert server.get("/").status == 200  # waits its turn: the idle ones before it are cut at their deadline
        for client in crowd:
            client.socket.close()
        wait_for(lambda: server.stats()["connections"] == 1, "room again")
        assert server.stats()["rejected_limit"] > 0


def test_rule_03_cap_for_each_peer():
    with Server("--per-peer", 4) as server:
        greedy = [server.client(source="127.0.0.2") for _ in range(4)]
        for client in greedy:
            client.send(get("/"))
            assert client.reply().status == 200
        with server.client(source="127.0.0.2") as fifth:
            fifth.closed_within(10)
        with server.client(source="127.0.0.3") as other:
            other.send(get("/"))
            assert other.reply().status == 200
        assert all(client.is_open() for client in greedy)
        greedy.pop().socket.close()
        wait_for(lambda: server.stats()["connections"] == 4, "one left")
        with server.client(source="127.0.0.2") as again:
            again.send(get("/"))
            assert again.reply().status == 200
        assert server.stats()["rejected_limit"] == 1


def test_rule_03_loopback_has_no_cap_of_its_own(server):
    clients = [server.client() for _ in range(40)]
    for client in clients:
        client.send(get("/"))
        assert client.reply().status == 200


def test_rule_03_a_thousand_keep_alive_connections_are_all_answered():
    with Server("--deadline", 60000) as server:
        clients = [server.client() for _ in range(1000)]
        for _ in range(3):
            for client in clients:
                client.send(get("/api/herd_data"))
            assert [client.reply().status for client in clients] == [200] * 1000
        assert server.stats()["renders"] == 1


# ---- rule 4: descriptors run out ------------------------------------------------------------------------------------


def test_rule_04_out_of_descriptors():
    with Server("--nofile", 24, "--deadline", 60000) as server:
        first = server.client()
        first.send(get("/"))
        assert first.reply().status == 200
        crowd = [server.client() for _ in range(40)]  # the kernel queues what is not accepted
        wait_for(lambda: ask_again(first)["accept_pauses"] > 0, "the pause")
        before, begun = server.cpu_s(), time.monotonic()
        time.sleep(2)
        spent, took = server.cpu_s() - before, time.monotonic() - begun
        assert spent < 0.2 * took, f"{spent:.2f} s of CPU in {took:.1f} s: it spins"
        for client in crowd:
            client.socket.close()
        wait_for(lambda: ask_again(first)["connections"] == 1, "descriptors again")
        assert server.get("/").status == 200
        first.socket.close()
        server.stop()
        assert server.err.count("accepting a connection failed") < 10, server.err


def ask_again(client):
    client.send(get("/stats"))
    return client.reply().json()


# ---- rules 5 to 7: streams ------------------------------------------------------------------------------------------


def listen(server, path="/events", **options):
    client = server.client(**options)
    client.send(get(path))
    client.until(b"\r\n\r\n")
    return client


def test_rule_05_a_reader_that_stalls_is_cut_at_256_kib(server):
    stalled, reading = listen(server, receive_bytes=4096), listen(server)
    sent = 0
    while server.stats()["sse_clients"] == 2:
        assert server.get("/flood").status == 200
        sent += 65536
        reading.until(b"\n\n\r\n")
        assert sent < 64 << 20, "it was never cut"
    assert server.stats()["sse_dropped"] == 1
    assert sent > 256 << 10
    server.get("/touch?topic=herd")
    reading.until(b"event: herd")  # who reads is not touched
    stalled.socket.close()


def test_rule_06_input_during_a_stream_is_not_kept(server):
    client = listen(server)
    before = server.rss_bytes()
    client.socket.settimeout(0.5)
    sent, piece = 0, b"x" * 65536
    end = time.monotonic() + 3
    try:
        while sent < 64 << 20 and time.monotonic() < end:
            sent += client.socket.send(piece)
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        pass  # its socket is full: what the server does not read waits here
    assert server.rss_bytes() - before < RSS_SLACK
    assert sent < 64 << 20
    assert server.get("/").status == 200


def test_rule_07_a_silent_stream_outlives_the_deadline():
    with Server("--deadline", 500, "--heartbeat", 400) as server:
        client = listen(server, "/events?topics=herd")
        client.until(b'"seq":1}')
        for _ in range(4):
            client.until(b": hb")
        server.get("/touch?topic=herd")
        client.until(b'event: herd\ndata: {"seq":2}')


def test_events_and_their_names(server):
    client = listen(server, "/events?topics=herd,config")
    client.until(b'config\ndata: {"seq":1}\n\n')
    server.get("/touch?topic=logs")
    server.get("/touch?topic=config")
    text = client.until(b'"seq":2}\n\n')
    assert events(text) == [("config", '{"seq":2}')]


# ---- rules 8 to 11: who owns what when it ends ----------------------------------------------------------------------


def test_rule_08_stream_closed_by_the_client(server):
    for _ in range(20):
        listen(server).socket.close()
    wait_for(lambda: server.stats()["sse_clients"] == 0, "all streams gone")
    server.get("/touch?topic=herd")
    assert server.stop() == 0  # AddressSanitizer counts what leaked


def test_rule_09_client_leaves_while_its_page_is_made(server):
    for _ in range(5):
        with server.client() as client:
            client.send(get("/slow"))
    wait_for(lambda: server.stats()["connections"] == 1, "all gone")
    assert server.get("/slow").status == 200
    assert server.stop() == 0


def test_rule_09_a_flood_while_a_page_is_made(server):
    with server.client() as client:
        client.send(get("/never"))
        before = server.rss_bytes()
        client.socket.settimeout(0.5)
        end = time.monotonic() + 3
        try:
            while time.monotonic() < end:
                client.socket.send(b"x" * 65536)
        except TimeoutError:
            pass
        assert server.rss_bytes() - before < RSS_SLACK


def test_rule_10_one_connection_many_kinds_of_replies(server):
    with server.client() as client:
        for path in ("/", "/slow", "/nothing", "/fail", "/moved", "/healthz", "/") * 3:
            client.send(get(path))
            client.reply()
        client.send(get("/events"))
        client.until(b"event: hello")
    wait_for(lambda: server.stats()["connections"] == 1, "all gone")
    assert server.stop() == 0


def test_rule_11_drain_with_everything_open(server):
    stream, idle, waiting = listen(server), server.client(), server.client()
    stalled = listen(server, receive_bytes=4096)
    for _ in range(3):
        server.get("/flood")
    waiting.send(get("/slow"))
    half = server.client()
    half.send("GET / HT")
    wait_for(lambda: server.stats()["connections"] == 6, "all of them accepted")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 10
    reply = waiting.reply()
    assert reply.status == 200 and reply.headers["connection"] == "close"
    stream.until(b"\r\n0\r\n\r\n")
    for client in (stream, idle, waiting, half, stalled):
        client.closed_within(10)


def test_rule_11_requests_while_draining_are_refused(server):
    with server.client() as late, server.client() as holds:
        holds.send(get("/never"))  # keeps the drain waiting for its two seconds
        late.send("GET / HTTP/1.1\r\n")
        wait_for(lambda: server.stats()["connections"] == 3, "both accepted")
        os.kill(server.process.pid, 15)
        wait_for(lambda: refused(server.port), "the listener closed")
        late.send("Host: localhost\r\n\r\n")
        reply = late.reply()
        assert reply.status == 503 and reply.headers["connection"] == "close"
        assert server.stop() == 0


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


# ---- rules 12 to 14 -------------------------------------------------------------------------------------------------


def test_rule_12_pipelining_in_order(server):
    with server.client() as client:
        client.send(get("/query?a=1") + get("/slow") + get("/query?a=2") + get("/healthz"))
        assert client.reply().body == b"a=1;"
        assert b"/slow" in client.reply().body
        assert client.reply().body == b"a=2;"
        assert client.reply().body == b"ok\n"


def test_rule_12_pipelined_requests_are_each_judged(server):
    with server.client() as client:
        client.send(get("/") + "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n" + get("/"))
        assert client.reply().status == 200
        assert client.reply().status == 400
        client.closed_within(10)  # nothing after a bad one


def test_rule_13_idle_connections_end(quick):
    with quick.client() as client:
        client.send(get("/"))
        client.reply()
        assert 0.8 < client.closed_within(10)
    assert quick.stats()["rejected_deadline"] == 0  # no fault


def test_rule_13_http_10_closes(server):
    with server.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in client.until(b"\r\n\r\n")
        client.closed_within(10)


def test_rule_14_content_type_is_ours(server):
    assert server.get("/healthz").headers["content-type"] == "text/plain; charset=utf-8"
    assert server.ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n") \
        .headers["content-type"] == "text/plain; charset=utf-8"


# ---- rule 15: what evhttp reads over --------------------------------------------------------------------------------


@pytest.mark.parametrize("name, request_bytes, status", [
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("no Host in 1.0", b"GET / HTTP/1.0\r\n\r\n", 400),
    ("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    ("two Hosts, the second evil", b"GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.com\r\n\r\n", 400),
    ("evil Host", b"GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n", 421),
    ("evil Host with our port", b"GET / HTTP/1.1\r\nHost: evil.com:8080\r\n\r\n", 421),
    ("an address inside a name", b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.com\r\n\r\n", 421),
    ("a user in Host", b"GET / HTTP/1.1\r\nHost: localhost@evil.com\r\n\r\n", 421),
    ("any IP literal", b"GET / HTTP/1.1\r\nHost: 192.168.7.7:81\r\n\r\n", 200),
    ("any IPv6 literal", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n", 200),
    ("empty header name", b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    ("folded header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    ("folded Host", b"GET / HTTP/1.1\r\nHost: localhost\r\n .evil.com\r\n\r\n", 400),
    ("NUL in a header", b"GET / HTTP/1.1\r\nHost: localhost\0.evil.com\r\n\r\n", 400),
    ("NUL in the target", b"GET /\0x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("NUL after the version", b"GET / HTTP/1.1\0x\r\nHost: localhost\r\n\r\n", 400),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rY: b\r\n\r\n", 400),
    ("ESC in a header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x1b[2J\r\n\r\n", 400),
    ("header twice", b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a\r\ncookie: b\r\n\r\n", 400),
    ("a list in two lines", b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: a/b\r\nAccept: c/d\r\n\r\n", 200),
    ("too many headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"h%d: x\r\n" % i for i in range(70)) +
     b"\r\n", 400),
    ("bare LF lines", b"GET / HTTP/1.1\nHost: localhost\n\n", 200),
    ("length and chunked", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    ("negative length", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
    ("chunked twice", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
    ("HTTP/0.9", b"GET / HTTP/0.9\r\nHost: localhost\r\n\r\n", 505),
    ("not HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", 400),
    ("garbage line", b"hello\r\n\r\n", 400),
])
def test_rule_15_malformed(server, name, request_bytes, status):
    reply = server.ask(request_bytes)
    assert reply.status == status, name
    if status in (400, 421, 505):
        assert reply.headers["connection"] == "close", name


def test_rule_15_refusals_say_nothing_that_was_sent(server):
    reply = server.ask("GET /<script>?<script> HTTP/1.1\r\nHost: <script>evil\r\n\r\n")
    assert reply.status == 421
    assert b"<script>" not in reply.body and b"evil" not in reply.body


# ---- rules 16 and 17: targets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target, status", [
    ("//evil/x", 400), ("http://localhost/", 400), ("http://evil.com/", 400), ("*", 400), ("x", 400),
    ("/..", 400), ("/a/../b", 400), ("/%2e%2e/etc/passwd", 400), ("/%2E./x", 400), ("/a%00b", 400), ("/a%0d%0ab", 400),
    ("/%2fevil", 400), ("/a%5c..%5cb", 400), ("/a\\b", 400), ("/%", 400), ("/%ff", 400),
    ("/?a=%00", 400), ("/" + "x" * 2000, 414), ("/?" + "a&" * 40, 400), ("/nothing/here", 404),
    ("/static/../../etc/passwd", 400), ("/static/%2e%2e/%2e%2e/etc/passwd", 400), ("/static//etc/passwd", 404),
])
def test_rule_16_17_targets(server, target, status):
    assert server.get(target).status == status


def test_rule_17_files_stay_below_their_directory(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "root-private").mkdir()
    (tmp_path / "root-private" / "key").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    (root / "a.txt").write_text("seen")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to("a.txt")
    (root / "sub" / "up").symlink_to("../..")
    (root / "proc").symlink_to("/proc/self/root/etc/passwd")
    os.mkfifo(root / "pipe")
    with Server("--static", root) as server:
        assert server.get("/static/a.txt").body == b"seen"
        for name in ("link", "inside", "sub/up/secret", "proc", "pipe", "sub", "sub/", "", "../root-private/key", "a.txt/"):
            assert server.get("/static/" + name).status in (400, 404), name


# ---- rule 18: methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROBNICATE", "POST"])
def test_rule_18_methods(server, method):
    reply = server.ask(get("/", "Content-Length: 0", method=method))
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


def test_rule_18_connect_is_refused_and_closed(server):
    with server.client() as client:
        client.send("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.reply().status in (400, 405)
        client.closed_within(5)


def test_rule_18_head_has_no_body(server):
    with server.client() as client:
        client.send(get("/", method="HEAD") + get("/healthz"))
        head = client.reply(head_only=True)
        assert head.status == 200 and int(head.headers["content-length"]) > 0
        assert client.reply().body == b"ok\n"


@pytest.mark.parametrize("method", ["HEAD", "FROBNICATE"])
def test_rule_18_a_body_that_nobody_reads_is_no_request(server, method):
    smuggled = get("/healthz")
    with server.client() as client:
        client.send(get("/", f"Content-Length: {len(smuggled)}", method=method) + smuggled)
        client.reply(head_only=method == "HEAD")
        client.closed_within(10)
        assert b"ok\n" not in client.buffer


def test_rule_18_posts_from_other_origins(server):
    def post(*lines):
        return server.ask(get("/echo", "Content-Length: 0", *lines, method="POST")).status
    assert post() == 200
    assert post("Origin: http://localhost") == 200
    assert post("Origin: http://evil.com") == 403
    assert post("Origin: null") == 403
    assert post("Sec-Fetch-Site: cross-site") == 403


# ---- rule 20 (22 is in unit/test_http_life.c) -----------------------------------------------------------------------


def test_rule_20_a_reader_that_closes_early_ends_nothing(server):
    for _ in range(30):
        with server.client(receive_bytes=2048) as client:
            client.send(get("/api/herd_data") * 4)
            client.socket.recv(10)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert server.get("/").status == 200


# ---- what the daemon relies on --------------------------------------------------------------------------------------


def test_listens_on_ipv6():
    with Server("--listen", "[::1]") as server:
        with socket.create_connection(("::1", server.port), 10) as client:
            client.sendall(get("/healthz", host=f"[::1]:{server.port}").encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 200")


def test_expect_continue(server):
    with server.client() as client:
        client.send(get("/echo", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert b"100 Continue" in client.until(b"\r\n\r\n")
        client.send("hello")
        assert client.reply().body == b"hello"


def test_garbage_from_many_ends_nothing(server):
    """Not a fuzzer (tests/fuzz has one), but random bytes over a real socket, some of them after a good start."""
    import random
    rng = random.Random(1)
    for round_ in range(200):
        with server.client() as client:
            good = get("/api/herd_data", "Accept-Encoding: gzip").encode()
            data = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400)))
            cut = rng.randrange(len(good))
            try:
                client.send(good[:cut] + data + b"\r\n\r\n" if round_ % 2 else data + b"\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert server.get("/").status == 200
    assert server.stop() == 0


def test_client_class_sees_a_closed_connection(server):
    """The tests above rely on it."""
    client = Client(server.port)
    server.stop()
    with pytest.raises(Closed):
        client.more()

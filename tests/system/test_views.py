"""Editing views: shown on the next request; broken, the last good one stays with a banner. A view that
hangs delays no line and no other page for more than 5 s, and mends itself when the file is mended."""
import http.client
import signal
import threading
import time

from conftest import DEADLINE_S, miners_lua, wait_for

HANG = '<% local s = ("a"):rep(28); s:find(("a?"):rep(28) .. ("a"):rep(28)) %>never\n'


def with_views(daemon, tmp_path, config=""):
    views = tmp_path / "views"
    views.mkdir()
    return daemon(f'view_dirs = {{ "{views}" }}\n' + config), views


def test_an_edit_shows_on_the_next_request(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    shipped = d.text("/")
    (views / "index.html").write_text("<p>mine <%= 1 + 1 %></p>\n")
    assert d.text("/").strip() == "<p>mine 2</p>"
    (views / "index.html").write_text("<p>again <%= 2 + 2 %></p>\n")
    assert d.text("/").strip() == "<p>again 4</p>"
    (views / "index.html").unlink()
    assert d.text("/") == shipped
    (views / "new").mkdir()
    assert d.get("/new/page")[0].status == 404
    (views / "new" / "page.lua").write_text("return 'hello <b>'\n")
    assert "hello" in d.text("/new/page")
    (views / "api").mkdir()
    (views / "api" / "mine.lua").write_text("return { answer = 42 }\n")
    assert d.get("/api/mine")[1].strip() == b'{"answer":42}'


def test_each_reads_in_their_own_language(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    (views / "mine.html").write_text("<p><%= shepherd.request.locale %></p>\n")
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}
    assert d.text("/mine") == "<p>en</p>\n"
    response, body = d.get("/mine", german)
    assert body == b"<p>de</p>\n" and "Accept-Language" in response.headers["Vary"]
    assert d.get("/mine?lang=es", german)[1] == b"<p>es</p>\n"
    assert d.get("/mine?lang=nowhere", german)[1] == b"<p>de</p>\n"


def test_a_folder_of_views_is_taken_up_without_a_restart(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    other = tmp_path / "other"
    (other / "static").mkdir(parents=True)
    shipped = d.text("/")
    (other / "index.html").write_text("<p>other</p>\n")
    (other / "static" / "own.css").write_text("p {}\n")
    was = d.config.read_text()
    d.config.write_text(was.replace(str(views), str(other)))
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: d.text("/").strip() == "<p>other</p>", "the other folder's page")
    assert d.get("/static/own.css")[1] == b"p {}\n"
    d.config.write_text(was)
    d.process.send_signal(signal.SIGHUP)
    wait_for(lambda: d.text("/") == shipped, "our page again")
    assert d.get("/static/own.css")[1] != b"p {}\n"


def test_a_layout_that_is_not_there_is_a_mistake_of_its_line(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    (views / "own.html").write_text("<p>one</p>\n<% layout('partials/nowhere') %>\n")
    response, body = d.get("/own", {"Accept": "text/html"})
    assert response.status == 500 and b"own.html:2" in body, body


def test_a_broken_edit_keeps_the_last_good_code(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    page = views / "mine.html"
    page.write_text("<body><p>good <%= shepherd.herd().totals.total_miners %></p></body>\n")
    assert "good 0" in d.text("/mine")
    page.write_text("<body>\n<p>bad</p>\n<% if %>\n</body>\n")
    text = d.text("/mine")
    assert "good 0" in text and "mine.html:3" in text and 'role="alert"' in text
    page.write_text("<body>\n<%= nothing.at.all %>\n</body>\n")
    text = d.text("/mine")
    assert "good 0" in text and "mine.html:2" in text
    page.write_text("<body>mended</body>\n")
    assert d.text("/mine").strip() == "<body>mended</body>"


def test_broken_after_a_restart_falls_back_to_the_shipped_view(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    shipped = d.text("/")
    (views / "index.html").write_text("<% end %>\n")
    (views / "own.html").write_text("<% end %>\n")
    d.stop()
    d.start()
    text = d.text("/")
    assert "index.html:1" in text and 'role="alert"' in text
    assert "<table" in shipped and "<table" in text or "No miner" in text
    response, body = d.get("/own", {"Accept": "text/html"})
    assert response.status == 500 and b"own.html:1" in body


def test_a_pattern_bomb_hurts_nobody_else(daemon, tmp_path, ports):
    port, = ports(1)
    d, views = with_views(daemon, tmp_path, miners_lua([("ONE", port.path)]))
    bomb = views / "bomb.html"
    bomb.write_text(HANG)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(d.get("/bomb")[0].status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    slowest = 0
    end = time.monotonic() + 4
    n = 0
    while time.monotonic() < end:
        n += 1
        port.write(f">>> Completed {n} share(s), {n} Khashes, avg. hashrate 55.00 KH/s\n")
        begun = time.monotonic()
        assert d.get("/api/herd_data")[0].status == 200
        slowest = max(slowest, time.monotonic() - begun)
    for thread in threads:
        thread.join(DEADLINE_S)
    assert len(answers) == 3 and all(status >= 500 for status in answers)
    assert slowest < 5
    wait_for(lambda: d.rows("SELECT count(*) FROM miner_logs")[0][0] == n, "every line to be stored")
    bomb.write_text("<body>mended</body>\n")
    wait_for(lambda: d.get("/bomb")[0].status == 200, "the mended view, without a restart")


def test_a_killed_script_process_comes_back(daemon):
    import os
    import re
    import signal
    d = daemon()
    d.get("/")
    children = [int(p) for p in os.popen(f"pgrep -P {d.process.pid} shepherd-script").read().split()]
    assert children
    for child in children:
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: d.get("/details/system")[0].status == 200, "a new script process")
    assert re.search("killed|script", d.log)


def test_hostile_texts_are_text(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    evil = "<img src=x onerror=alert(1)>"
    port.write(f"{evil}\n")
    port.write('  Sending  : {"params": ["bc1qx.%s", "x"], "id": 2, "method": "mining.authorize"}\n' % evil)
    port.write(">>> Completed 3 share(s), 12345 Khashes, avg. hashrate 55.12 KH/s\n")
    d.wait_miner("ONE", lambda m: m["KH/s"], "a hash rate")
    wait_for(lambda: "onerror" in d.text("/raw_logs"), "the line on the page")
    for path in ("/", "/raw_logs", "/details/system"):
        assert "<img src=x" not in d.text(path)


def test_unchanged_pages_are_not_sent_again(daemon):
    d = daemon()
    wait_for(lambda: d.get("/api/herd_data")[0].status == 200, "the page")
    etag = d.get("/api/herd_data")[0].getheader("ETag")
    response, body = d.get("/api/herd_data", {"If-None-Match": etag})
    assert (response.status, body) == (304, b"")


def test_changes_are_told_by_events(daemon, ports):
    port, = ports(1)
    d = daemon(miners_lua([("ONE", port.path)]))
    connection = http.client.HTTPConnection("127.0.0.1", d.port, timeout=DEADLINE_S)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.getheader("Content-Type").startswith("text/event-stream")

    def next_herd():
        while True:
            line = response.readline()
            assert line, "the stream ended"
            if line.strip() == b"event: herd":
                return response.readline()
    first = next_herd()
    port.write("hello\n")
    assert next_herd() != first
    connection.close()


def test_every_route_answers_on_an_empty_herd(daemon, tmp_path):
    d, views = with_views(daemon, tmp_path)
    for path in ("/", "/raw_logs", "/details/system", "/api/herd_data", "/api/device_state", "/healthz"):
        response, body = d.get(path)
        assert response.status == 200, (path, body)
    (views / "none.lua").write_text("return '' .. #shepherd.query('SELECT * FROM miners WHERE 1 = 0')\n")
    assert d.text("/none").strip() == "0"


def test_raw_logs_of_one_miner_show_its_newest_line(daemon, ports):
    first, second = ports(2)
    d = daemon(miners_lua([("ONE", first.path), ("TWO", second.path)]))
    first.write("from the first\n")
    second.write("from the second\n")
    wait_for(lambda: "from the second" in d.text("/raw_logs"), "both lines")
    text = d.text("/raw_logs?miner=ONE")
    assert "from the first" in text and "from the second" not in text

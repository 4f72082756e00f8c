"""The lessons of views/README.md, done as they stand there: every file that it shows is put into a folder of views, and works."""
import json
import pathlib
import re

from conftest import miners_lua

README = pathlib.Path(__file__).parents[2] / "views" / "README.md"
VIEWS = README.parent
WARM = ">>> Completed 3 share(s), 5512 Khashes, avg. hashrate 55.00 KH/s\n>>> Temperature: 71.5\n"


def lessons():
    """{ "warm.html": text } of the blocks that follow a line `/etc/shepherd/views/NAME`: …"""
    text = README.read_text()
    found = re.findall(r"^`/etc/shepherd/views/(\S+?)`[^\n]*:\n```\w+\n(.*?)^```", text, re.M | re.S)
    assert len(found) == text.count("`/etc/shepherd/views/"), "every file of the lesson is followed by its text"
    return dict(found)


def flock(daemon, tmp_path, ports):
    views = tmp_path / "views"
    views.mkdir()
    port, = ports(1)
    d = daemon(f'view_dirs = {{ "{views}" }}\n' + miners_lua([("BARN-01", port.path)]))
    port.write(WARM * 20)
    d.wait_miner("BARN-01", lambda m: m["Temperature"] == 71.5, "is warm")
    return d, views


def put(views, name, text):
    path = views / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_colour(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    put(views, "static/own.css", lessons()["static/own.css"])
    assert "own.css" in d.text("/")
    assert b"--color-hash: #" in d.get("/static/own.css")[1]


def test_a_figure(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    partial = (VIEWS / "partials" / "totals.html").read_text()
    head, end, tail = partial.rpartition("</dl>")
    put(views, "partials/totals.html", head + lessons()["partials/totals.html"] + end + tail)
    page = d.text("/")
    assert 'id="total-32bit"' in page and "32-bit shares" in page and 'role="alert"' not in page.replace('id="away" class="banner" role="alert"', "")


def test_a_page(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    put(views, "warm.html", lessons()["warm.html"])
    page = d.text("/warm")
    assert "BARN-01</b> 71.5 °C" in page and "Warmer than 50" in page
    assert "BARN-01</b>" not in d.text("/warm?above=80")
    policy = d.get("/warm")[0].getheader("Content-Security-Policy")
    assert "style-src 'self' 'unsafe-inline'" in policy and "script-src 'self';" in policy
    assert "unsafe-inline" not in d.get("/")[0].getheader("Content-Security-Policy")


def test_an_endpoint(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    put(views, "api/warm.lua", lessons()["api/warm.lua"])
    assert json.loads(d.get("/api/warm")[1]) == {"warm": [{"celsius": 71.5, "miner": "BARN-01"}]}


def test_a_chart(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    put(views, "heat.html", lessons()["heat.html"])
    response, body = d.get("/heat", {"Accept": "text/html"})
    assert response.status == 200 and b"BARN-01" in body and b"/api/history" not in body.split(b"<main")[0]
    assert b"temperature" in body


def test_a_form(daemon, tmp_path, ports):
    d, views = flock(daemon, tmp_path, ports)
    put(views, "rename.html", lessons()["rename.html"])
    page = d.text("/rename")
    assert 'action="/miners/edit/1"' in page and 'id="rename-name"' in page and 'value="BARN-01"' in page


def test_the_examples(daemon, tmp_path, ports):
    d, _ = flock(daemon, tmp_path, ports)
    for path in sorted((VIEWS / "examples").glob("*.html")):
        response, body = d.get(f"/examples/{path.stem}", {"Accept": "text/html"})
        assert response.status == 200, body
    assert "BARN-01" in d.text("/examples/rooms")


def test_the_reference_names_every_module(daemon, tmp_path, ports):
    d, _ = flock(daemon, tmp_path, ports)
    page = d.text("/help/lua")
    for module in (VIEWS.parent / "lua").glob("*.lua"):
        if "--- " in module.read_text():
            assert f'id="module-{module.stem}"' in page, module
    for name in ("shepherd.herd", "format.hashrate", "live.row", "html.time"):
        assert f"<b>{name}</b>" in page

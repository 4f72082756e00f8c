"""What a restore tells before and after: who may come in by it, and where the configuration went; by command and in
the browser."""
import json
import sqlite3

from conftest import run, wait_for
from formlib import PASSWORD, api, make_admin
from test_backup import backup
from test_forms import alive, upload


def test_who_may_come_in_is_told_before(daemon):
    d = daemon()
    make_admin(d)
    for name, role in (("bob", "viewer"), ("eve", "admin")):
        assert api(d, "/users/add", name=name, role=role, new_password="long enough", password=PASSWORD).status == 200
    assert api(d, "/tokens/add", name="grafana", role="viewer", password=PASSWORD).status == 200
    file = backup(d)
    code, out, err = run("restore", file, "--check", "--config", d.config, "--data-dir", d.data)
    assert code == 0 and "2 users: eve (admin), bob (viewer); 1 API tokens; 0 browsers" in out, (out, err)
    about = api(d, "/restore/check", upload=upload(d, file.read_bytes())).json["about"]
    assert about["users"] == 2 and about["tokens"] == 1 and about["sessions"] == 0
    assert about["user_list"] == [{"name": "eve", "role": "admin"}, {"name": "bob", "role": "viewer"}]
    assert about["config_file"] == str(d.config)


def without_a_file(daemon, home):
    """One that finds no configuration; so it would be online, but for a proxy that is not there."""
    proxy = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "all_proxy")}
    d = daemon(start=False, env={"XDG_CONFIG_HOME": str(home), "HOME": str(home), **proxy})
    d.config = None
    return d


def test_a_configuration_goes_to_the_usual_place(daemon, tmp_path):
    old = daemon("access = { loopback = \"viewer\" }\n")
    file, text = backup(old), old.config.read_text()
    home = tmp_path / "home"
    place = home / "shepherd" / "shepherd.lua"
    d = without_a_file(daemon, home).start()
    make_admin(d)
    about = api(d, "/restore/check", upload=upload(d, file.read_bytes())).json["about"]
    assert about["config_file"] == str(place) and not place.exists()
    assert api(d, "/restore/apply", upload=upload(d, file.read_bytes()), password=PASSWORD).status == 200
    wait_for(lambda: place.exists() and place.read_text() == text, "the configuration")
    wait_for(lambda: alive(d) and json.loads(d.get("/api/session")[1]), "the daemon again")
    wait_for(lambda: f"the configuration is {place}" in d.log, "said where")
    assert api(d, "/miners/add", name="A", source="serial", path="/dev/ttyUSB77").status == 403  # a viewer now
    # the command puts it there as well
    place.unlink()
    assert d.stop() == 0
    code, out, err = run("restore", file, "--data-dir", d.data, env=d.env)
    assert code == 0 and f", {place}\n" in out and place.read_text() == text, (out, err)


def test_a_place_where_it_cannot_go_is_told_before(daemon, tmp_path):
    file = backup(daemon())
    home = tmp_path / "home"
    home.write_text("in the way")
    d = without_a_file(daemon, home).start()
    make_admin(d)
    before = d.process.pid, sqlite3.connect(d.data / "shepherd.db").execute("SELECT count(*) FROM miners").fetchone()
    for path in ("/restore/check", "/restore/apply"):
        answer = api(d, path, upload=upload(d, file.read_bytes()), password=PASSWORD)
        assert answer.status == 400 and f"{home}/shepherd/shepherd.lua" in answer.json["message"], answer.body
    assert before == (d.process.pid, sqlite3.connect(d.data / "shepherd.db").execute("SELECT count(*) FROM miners").fetchone())
    assert alive(d)

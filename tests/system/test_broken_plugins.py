"""A plugin that is wrong costs one log line and a row on the status page; the daemon goes on."""
import os
import shutil
import stat

import pytest

from conftest import BUILD, run, wait_for

FIXTURES = BUILD / "tests" / "broken_plugins"


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        target = tmp_path / "plugins"
        target.mkdir()
        target.chmod(0o755)
        for name in names:
            copy = shutil.copy(FIXTURES / f"{name}.so", target)
            os.chmod(copy, 0o755)
        return target
    return make


def config_for(folder, plugins="", miners=""):
    return (f'offline = true\nplugin_dirs = {{ "{folder}" }}\n'
            f"plugins = {{ serial = {{ discover = false }}, {plugins} }}\n{miners}")


REFUSED = {
    "no_symbol": "no symbol shep_plugin_v1",
    "other_major": "built for plugin interface 2.1",
    "newer_minor": "built for plugin interface 1.2",
    "short_struct": "its description is 16 bytes",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_load(daemon, folder, name):
    d = daemon(config_for(folder(name, "good")))
    assert REFUSED[name] in d.log
    page = d.text("/details/system")
    assert name in page and REFUSED[name] in page.replace("&#39;", "'")
    wait_for(lambda: "good: started" in d.log, "the one beside it to run")
    assert d.get("/healthz")[0].status == 200
    listing = run("plugins", "--config", d.config)[1]
    assert REFUSED[name] in listing


def test_file_that_others_may_write(daemon, folder):
    target = folder("writable", "good")
    (target / "writable.so").chmod(0o1757)  # the sticky bit guards a folder, no file
    d = daemon(config_for(target))
    assert "can be written by everybody" in d.log and "chmod o-w" in d.log
    wait_for(lambda: "good: started" in d.log, "the one beside it to run")


def test_folder_that_others_may_write(daemon, folder):
    target = folder("writable")
    target.chmod(0o757)
    d = daemon(config_for(target))
    assert f"{target} can be written by everybody" in d.log
    assert stat.S_IMODE(target.stat().st_mode) == 0o757


def test_start_that_fails(daemon, folder):
    d = daemon(config_for(folder("bad_start", "good")))
    assert d.log.count("the flux capacitor is missing; buy one") == 1
    assert "the flux capacitor is missing; buy one" in d.text("/details/system")
    wait_for(lambda: d.rows("SELECT text FROM events WHERE event = 'plugin.refused'"), "the event")
    assert d.process.poll() is None  # the timer that it left behind would have aborted us


def test_option_that_does_not_exist(daemon, folder):
    d = daemon(config_for(folder("bad_option"), "bad_option = { intervall = 60 }"), start=False)
    code, _, err = run("check", "--config", d.config)
    assert code == 78
    assert "plugins.bad_option.intervall: unknown key; did you mean 'interval'?" in err
    assert f"{d.config}:3:" in err
    d.start(wait=False)
    assert d.process.wait(60) == 78


def test_slow_callback_is_named(daemon, folder):
    d = daemon(config_for(folder("slow")))
    wait_for(lambda: "slow: a callback held the loop for" in d.log, "the log line")
    plugin = next(line for line in d.text("/details/system").splitlines() if "slow" in line)
    assert plugin


def test_readings_that_cannot_be(daemon, folder):
    miners = 'miners = { { id = "ODD", source = "nan", path = "x" } }\n'
    d = daemon(config_for(folder("nan"), "", miners))
    miner = d.wait_miner("ODD", lambda m: m["KH/s"] is not None, "a hash rate")
    assert miner["KH/s"] == 55  # of all that it said only this one can be
    assert miner["Temperature"] is None
    assert d.get("/healthz")[0].status == 200

"""Every log against its truth table (tests/data/truth): what a log states, written by hand from reading it.

    SHEPHERD=build/shepherd python3 -m pytest tests/parsers/test_truth.py
    SHEPHERD=... SHEPHERD_CAPTURES=DIR python3 -m pytest tests/parsers/test_truth.py -k captures

A truth table is {"log", "parser", "last", "absent", "unparsed_at_most", "note"}: `log` is relative to tests/data, or for
`captures/...` to SHEPHERD_CAPTURES; `last` is a part of what `shepherd parse --summary` must say; `absent` must not
be in it. Only plugins of this build are asked: a parser that does not exist yet claims nothing.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
TRUTH = DATA / "truth"
CAPTURES = os.environ.get("SHEPHERD_CAPTURES")
SHEPHERD = os.environ.get("SHEPHERD", "build/shepherd")
TABLES = {str(f.relative_to(TRUTH)): json.loads(f.read_text()) for f in sorted(TRUTH.rglob("*.json"))}
MADE = [name for name, table in TABLES.items() if not table["log"].startswith("captures/")]
REAL = [name for name, table in TABLES.items() if table["log"].startswith("captures/")]


def log_of(table):
    return (Path(CAPTURES) if table["log"].startswith("captures/") else DATA) / table["log"]


def parse(*args, data=None):
    done = subprocess.run([SHEPHERD, "parse", *map(str, args)], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def same(want, got):
    if isinstance(want, str) or isinstance(got, str):
        return want == got
    return got == pytest.approx(want, rel=1e-9, abs=1e-12)


def check(table, summary):
    assert summary["parser"] == table["parser"]
    last = summary.get("last", {})
    wrong = {key: (want, last.get(key)) for key, want in table["last"].items() if key not in last or not same(want, last[key])}
    assert not wrong, "metric: (the log states, the parser says)"
    assert not [key for key in table.get("absent", ()) if key in last]
    assert summary["unparsed"] <= table.get("unparsed_at_most", summary["unparsed"])


@pytest.mark.parametrize("name", MADE)
def test_made(name):
    (summary,) = parse("--summary", log_of(TABLES[name]))
    check(TABLES[name], summary)


@pytest.mark.parametrize("name", REAL)
def test_captures(name):
    (summary,) = parse("--summary", log_of(TABLES[name]))
    check(TABLES[name], summary)


def test_made_all_at_once():
    """Files of one call do not know of each other."""
    summaries = parse("--summary", *(log_of(TABLES[name]) for name in MADE))
    assert len(summaries) == len(MADE)
    for name, summary in zip(MADE, summaries):
        check(TABLES[name], summary)


def test_every_made_log_has_a_table():
    logs = {str(f.relative_to(DATA)) for folder in ("nerdminer", "other") for f in (DATA / folder).glob("*.log")}
    assert logs == {TABLES[name]["log"] for name in MADE}


def test_captures_have_tables():
    logs = {f"captures/{f.name}" for f in (Path(CAPTURES) / "captures").glob("*.log")}
    assert logs <= {TABLES[name]["log"] for name in REAL}


def test_readings_name_their_line():
    """Without --summary: one object a reading, with the number of its line; --parser chooses by name."""
    log = b"\n>>> Completed 1 share(s), 20 Khashes, avg. hashrate 1.50 KH/s\n>>> Temperature: 53\n"
    readings = parse("--parser", "nerdminer", "-", data=log)
    assert {"line": 2, "metric": "hashrate", "value": 1500} in readings
    assert {"line": 3, "metric": "temperature", "value": 53} in readings


def test_secrets_are_masked_before_the_parser():
    (summary,) = parse("--summary", DATA / "nerdminer/sd-card.log")
    assert "not a real one" not in json.dumps(summary)

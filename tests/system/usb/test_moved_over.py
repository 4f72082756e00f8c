"""Miners that came from the Python Shepherd: plugged in, each goes on under its name; and its own form takes a stranger in."""
import http.client
import json

from bench import CH340, CP2102, NATIVE, found, options_lua, says, stats, strays, wait_for

CSV = """miner_id,attrs_idVendor,attrs_idProduct,attrs_serial,mac_address,port_path
OWN-USB,303a,1001,F0:F5:BD:4A:AB:CC,F0:F5:BD:4A:AB:CC,1-9
BRIDGE,10C4,EA60,dc414a79aa01,24:0A:C4:00:11:22,1-9
BY-PORT,1a86,7523,PORT_1-1.4_VID_1a86,24:0A:C4:00:11:23,1-1.4
"""


def send(daemon, path, body, kind):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind, "Accept": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_imported_miners_are_known_when_they_are_plugged_in(bench):
    d = bench.daemon(options_lua(serial={"listen": "known"}))
    status, answer = send(d, "/upload?offset=0", CSV, "application/octet-stream")
    status, answer = send(d, "/import", json.dumps({"upload": answer["id"]}), "application/json")
    assert status == 200 and answer["counts"]["miners"]["added"] == 3, answer
    boards = {"OWN-USB": bench.plug("ttyACM0", "1-1.1", NATIVE, serial="F0:F5:BD:4A:AB:CC"),
              "BRIDGE": bench.plug("ttyUSB0", "1-1.2", CP2102, serial="dc414a79aa01"),
              "BY-PORT": bench.plug("ttyUSB1", "1-1.4", CH340)}
    for n, (name, board) in enumerate(boards.items(), 50):
        board.wait_open().hum(stats(n))
        says(d, name, n)
    assert strays(d) == {}
    again = send(d, "/upload?offset=0", CSV, "application/octet-stream")[1]["id"]
    counts = send(d, "/import", json.dumps({"upload": again}), "application/json")[1]["counts"]["miners"]
    assert (counts["same"], counts["updated"], counts["added"]) == (3, 0, 0), counts


def test_the_python_form_takes_a_stranger_in(bench):
    d = bench.daemon(options_lua(serial={"listen": "known"}))
    board = bench.plug("ttyUSB0", "1-1.2", CH340)
    wait_for(lambda: "1-1.2" in strays(d), "it is offered")
    # this board has no serial number, and needs none: it is plugged in
    fields = {"miner_id": "GARAGE-1", "currency": "BTC", "dev_path": "/dev/ttyUSB0", "port_path": "1-1.2", "serial_number": None}
    status, answer = send(d, "/miners/onboard_stray", json.dumps(fields), "application/json")
    assert (status, answer) == (200, {"success": True, "message": "Added 'GARAGE-1'. Status: 'Inactive'."})
    board.wait_open().hum(stats(60))
    says(d, "GARAGE-1", 60)
    assert not found(d, "1-1.2")["stranger"] and strays(d) == {}
    status, answer = send(d, "/miners/onboard_stray", json.dumps({**fields, "miner_id": "GARAGE-2"}), "application/json")
    assert status == 409 and "exists as 'GARAGE-1'" in answer["message"], answer


def test_onboarding_by_row(bench):
    """The earlier form: by the id of /api/unconfigured_devices."""
    d = bench.daemon(options_lua(serial={"listen": "known"}))
    bench.plug("ttyUSB0", "1-1.2", CH340)

    def row():
        return next(iter(json.loads(d.get("/api/unconfigured_devices")[1])), None)
    device = wait_for(lambda: row() and row()["id"] and row(), "it is listed with its row")
    assert (device["port_path"], device["vendor_id"], device["product_id"]) == ("1-1.2", "1a86", "7523")
    fields = json.dumps({"unconfigured_id": device["id"], "miner_id": "SHED-1"})
    assert send(d, "/miners/onboard", fields, "application/json")[0] == 200
    assert d.miner("SHED-1") and row() is None

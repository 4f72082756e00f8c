"""Why a miner is at zero, in plain words: each fault is fed to a pty, and the page of the miner names it, says what
to do, and shows the line or the event that it rests on."""
import html
import pathlib
import re

from conftest import miner_lua, miners_lua, wait_for

DATA = pathlib.Path(__file__).parent.parent / "data" / "nerdminer"
ROM = "ets Jul 29 2019 12:21:46\r\n\r\nrst:{} ({}),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nentry 0x400805e4\r\n"
BANNER = "NerdMiner v2 starting......\r\nNo display driver initialized\r\n"
WIFI_UP = "*wm:AutoConnect: SUCCESS \r\nWiFi connected\r\nIP address: 192.168.7.34\r\n"
CONFIG = "PoolString: pool.example.org\r\nportNumber: 3333\r\nbtcString: {}\r\n"
WALLET = "bc1qmadeup0shepherd7barn5flock3wool9meadow2"
TRYING = "Client not connected, trying to connect...\r\n"
SUBSCRIBE = ('[WORKER] ==> Mining subscribe\r\n  Sending  : {"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.8.3"]}\r\n'
             '  Receiving: {"id":1,"error":null,"result":[[["mining.notify","67e5f117"]],"5421e067",8]}\r\n[WORKER] ==> Autorize work\r\n'
             f'  Sending  : {{"params": ["{WALLET}.w", "x"], "id": 2, "method": "mining.authorize"}}\r\n')
INFO = ">>> [i] Miner: newJob>true / inRun>false) - Client: connected>{} / subscribed>{} / wificonnected>{}\r\n"
NO_HASHES = ">>> Completed 0 share(s), 0 Khashes, avg. hashrate 0.00 KH/s\r\n"
BOOT = ROM.format("0x1", "POWERON_RESET") + BANNER
ONLINE = BOOT + WIFI_UP + CONFIG.format(WALLET + ".w")


def hashes(n):
    return f">>> Completed 1 share(s), {n * 78} Khashes, avg. hashrate 78.50 KH/s\r\n"


def refused_share(n):
    return (f'  Sending  : {{"id":{n},"method":"mining.submit","params":["{WALLET}.w","3f","0001","692529a1","e4f3649"]}}\r\n'
            f'  Receiving: {{"id":{n},"error":[21,"Job not found",null],"result":false}}\r\n' + hashes(n))


def log(name):
    return (DATA / f"{name}.log").read_bytes().decode("latin-1").encode("latin-1")


def cut_after(text, mark):
    return text[:text.index(mark) + len(mark)] + b"\r\n"


# name → what is fed, the verdict, its sentence, what it rests on
FAULTS = {
    "setup": (log("wifi-setup"), "wifi_setup", "It waits for its Wi-Fi set-up", "NerdMinerAP"),
    "unset": (log("wifi-timeout"), "wifi_unset", "nobody used its set-up page", "portal"),
    "wifi-gone": (BOOT + "[Error] - current status: 1\r\n" + NO_HASHES + INFO.format("false", "false", "false"),
                  "wifi_not_found", "its network was not found", "current status: 1"),
    "password": (BOOT + "[Error] - current status: 4\r\n" + NO_HASHES, "wifi_password", "the network refused it", "current status: 4"),
    "wifi-join": (BOOT + "*wm:AutoConnect: FAILED for  50523 ms\r\n", "wifi_join", "the saved network could not be joined",
                  "AutoConnect: FAILED"),
    "dns": (ONLINE + TRYING + "Resolved DNS and save ip (first time) got: 0.0.0.0\r\nImposible to connect to : pool.example.org\r\n"
            + NO_HASHES + INFO.format("false", "false", "true"), "dns", "cannot be resolved", "got: 0.0.0.0"),
    "unreachable": (log("cyd-lost-pool"), "pool_unreachable", "The pool cannot be reached", "Imposible to connect to : pool.example.org"),
    "address": (ONLINE + SUBSCRIBE + '  Receiving: {"id":2,"error":[24,"Unauthorized worker",null],"result":false}\r\n' + NO_HASHES,
                "bad_address", "refused its address", "Unauthorized worker"),
    "login": (ONLINE + '  Sending  : {"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.8.3"]}\r\n'
              '  Receiving: {"id":1,"error":[20,"banned",null],"result":null}\r\n' + NO_HASHES,
              "pool_refused", "The pool refused the login", "banned"),
    "example": (BOOT + WIFI_UP + CONFIG.format("yourBtcAddress") + TRYING + NO_HASHES + INFO.format("true", "false", "true"),
                "example_address", "address was never entered", "yourBtcAddress"),
    "no-jobs": (ONLINE + SUBSCRIBE + '  Receiving: {"id":2,"error":null,"result":true}\r\n' + NO_HASHES + INFO.format("true", "true", "true"),
                "no_jobs", "the pool sends it no work", "subscribed&gt;true"),
    "loop": (log("boot-loop"), "boot_loop", "restarts again and again", "Guru Meditation"),
    "brown": (ROM.format("0xf", "RTCWDT_BROWN_OUT_RESET") + BANNER, "brownout", "its supply voltage dips", "BROWN_OUT"),
    "panic": (cut_after(log("panic-nvs"), b"Rebooting..."), "panic", "Its firmware crashed", "LoadProhibited"),
    "bootloader": (log("bootloader"), "bootloader", "waits in its boot loader", "waiting for download"),
    "empty": (ROM.format("0x10", "RTCWDT_RTC_RESET") + "invalid header: 0xffffffff\r\n" * 5, "no_firmware", "no firmware in its flash",
              "invalid header"),
    "rejects": (ONLINE + SUBSCRIBE + '  Receiving: {"id":2,"error":null,"result":true}\r\n'
                + "".join(refused_share(n) for n in range(10, 15)), "rejected", "refuses many of its shares: 5 of 5", "Job not found"),
    "fine": (ONLINE + SUBSCRIBE + '  Receiving: {"id":2,"error":null,"result":true}\r\n' + hashes(1) + hashes(2), "good",
             "nothing is wrong", None),
}


def verdict(daemon, name):
    page = daemon.text(f"/details/miner/{name}")
    section = re.search(r'<section [^>]*class="verdict.*?</section>', page, re.S)
    assert section, page[:2000]
    return section.group(0)


def check(daemon, name, wanted, sentence, evidence):
    wait_for(lambda: f'data-verdict="{wanted}"' in verdict(daemon, name), f"{name}: {wanted}; shown: {verdict(daemon, name)}")
    shown = verdict(daemon, name)
    assert sentence in html.unescape(shown), shown
    if evidence:
        quote = re.search(r'<p class="verdict-evidence">.*?</p>', shown, re.S).group(0)
        assert evidence in quote and "data-age" in quote, quote


def test_each_fault_has_its_sentence(daemon, ports):
    pipes = dict(zip(FAULTS, ports(len(FAULTS))))
    d = daemon(miners_lua((name, pipe.path) for name, pipe in pipes.items()))
    for name in FAULTS:
        d.wait_miner(name, lambda m: m["status"] != "offline", "to be attached")
    for name, (text, *_) in FAULTS.items():
        pipes[name].write(text)
    for name, (_, *wanted) in FAULTS.items():
        check(d, name, *wanted)


def test_the_port(daemon, ports):
    port, quiet, noise = ports(3)
    d = daemon("silent_after = 5\nminers = {\n" + miner_lua("gone", port.path) + miner_lua("quiet", quiet.path)
               + miner_lua("noise", noise.path) + miner_lua("never", "/dev/ttyNOWHERE7") + "}\n")
    check(d, "never", "port_missing", "its port is gone", "/dev/ttyNOWHERE7")
    for pipe in (port, quiet):
        pipe.write(ONLINE + hashes(1) + hashes(2))
    for name in ("gone", "quiet"):
        d.wait_miner(name, lambda m: m["status"] == "online", "to be online")
    for _ in range(20):
        noise.write(bytes(range(0x80, 0xff, 3)) + b"\n")
    check(d, "noise", "garbage", "no text", None)
    check(d, "quiet", "silent_mining", "though it was mining", "mining")
    port.unplug()
    d.wait_miner("gone", lambda m: m["status"] == "offline", "to be offline")
    shown = verdict(d, "gone")
    assert re.search(r'data-verdict="(port_missing|port_dead|offline)"', shown) and "Offline" in shown, shown


def test_what_a_miner_says_is_text(daemon, ports):
    port, = ports(1)
    evil = '<img src=x onerror="alert(1)">'
    d = daemon(miners_lua([("evil", port.path)]))
    d.wait_miner("evil", lambda m: m["status"] != "offline", "to be attached")
    port.write(BOOT + WIFI_UP + TRYING + f"Imposible to connect to : {evil}\r\n" + NO_HASHES + INFO.format("false", "false", "true"))
    check(d, "evil", "pool_unreachable", "The pool cannot be reached", "&lt;img")
    assert "<img" not in d.text("/details/miner/evil")


def test_an_unknown_miner_is_not_found(daemon):
    d = daemon()
    assert d.get("/details/miner/nobody")[0].status == 404
    assert d.get("/api/history?miner=nobody")[0].status == 404

#!/usr/bin/env python3
"""Makes the logs of the demo flock beside this file: eight NerdMiners that never existed.

    python3 make.py            writes *.log
    python3 make.py --check    says whether the logs here are what this script makes (exit 1: no)

The formats are those that the firmware of each version and display driver prints; wallets, hosts'
addresses, jobs and hashes are invented. The same script makes the same bytes everywhere.
"""
import argparse
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
SIZE_LIMIT = 150_000  # bytes of one log: the repository carries them

ESP32_ROM = [
    "ets Jul 29 2019 12:21:46", "", "rst:{rst},boot:0x13 (SPI_FAST_FLASH_BOOT)",
    "configsip: 0, SPIWP:0xee", "clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00",
    "mode:DIO, clock div:2", "load:0x3fff0030,len:1184", "load:0x40078000,len:13232",
    "load:0x40080400,len:3028", "entry 0x400805e4"]
ESP32S3_ROM = [
    "ESP-ROM:esp32s3-20210327", "Build:Mar 27 2021", "rst:{rst},boot:0x28 (SPI_FAST_FLASH_BOOT)",
    "SPIWP:0xee", "mode:DIO, clock div:1", "load:0x3fce3808,len:0x4bc", "load:0x403c9700,len:0xbd8",
    "load:0x403cc700,len:0x2a0c", "entry 0x403c98d0"]
ESP32C3_ROM = [
    "ESP-ROM:esp32c3-api1-20210207", "Build:Feb  7 2021", "rst:{rst},boot:0xd (SPI_FAST_FLASH_BOOT)",
    "SPIWP:0xee", "mode:DIO, clock div:1", "load:0x3fcd5820,len:0x458", "load:0x403cc710,len:0x814",
    "load:0x403ce710,len:0x2880", "entry 0x403cc710"]
POWERON = {"esp32": "0x1 (POWERON_RESET)", "s3": "0x1 (POWERON)", "c3": "0x1 (POWERON)"}
BROWNOUT = {"esp32": "0xf (RTCWDT_BROWN_OUT_RESET)", "s3": "0xf (RTCWDT_BROWN_OUT_RST)", "c3": "0xf (BROWNOUT_RST)"}
ROM = {"esp32": ESP32_ROM, "s3": ESP32S3_ROM, "c3": ESP32C3_ROM}


def suffixed(value):
    """A difficulty as firmware 1.8 prints it."""
    if value < 0.001:
        return "0.0000"
    for limit, digits in ((10, 4), (100, 3), (1000, 2)):
        if value < limit:
            return f"{value:.{digits}f}"
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= factor:
            scaled = value / factor
            return f"{scaled:.{3 if scaled < 10 else 2 if scaled < 100 else 1}f}{letter}"
    return f"{value:.2f}"


class Board:
    """One board; time is in ms since the recording began."""

    def __init__(self, spec, seed):
        self.__dict__.update(spec)
        self.random = random.Random(seed)
        self.now = self.random.randrange(100, 900)
        self.start_of_day = self.random.randrange(6 * 3600, 20 * 3600) * 1000
        self.out = []
        self.best = self.saved_best
        self.shares = self.saved_shares
        self.hashes = self.saved_mhashes * 1_000_000
        self.templates = self.saved_templates
        self.uptime = self.saved_uptime
        self.message = 3
        self.mhashes_shown = self.saved_mhashes

    # ---- writing ----
    def stamp(self):
        t = self.start_of_day + int(self.now)
        return f"{t // 3600000 % 24:02d}:{t // 60000 % 60:02d}:{t // 1000 % 60:02d}.{t % 1000:03d} > "

    def line(self, text, end="\r\n"):  # println ends CR LF, printf LF
        self.out.append(self.stamp() + text + end)
        self.now += self.random.randrange(1, 6)

    def printf(self, text):
        self.line(text, "\n")

    def follow(self, text):
        """Printed at once behind the line before: no stamp of its own, to keep the logs small."""
        self.out.append(text + "\n")

    def hexes(self, n):
        return f"{self.random.getrandbits(4 * n):0{n}x}"

    # ---- boot ----
    def rom(self, reasons):
        for text in ROM[self.chip]:
            self.line(text.format(rst=reasons[self.chip]))
        self.now += 540

    def boot(self, reasons):
        self.rom(reasons)
        if self.version == "1.3":
            self.boot_old()
            return
        self.line("NerdMiner v2 starting......")
        if self.version == "1.8.3":
            for text in ("DEBUG: Attempting to read custom AP name from flash at 0x3F0000...",
                         "DEBUG: Successfully read from flash",
                         "DEBUG: WEBFLASHER_CONFIG marker not found - no custom config",
                         "DEBUG: Using default AP name"):
                self.line(text)
        if self.driver:
            self.line(f"{self.driver} display driver initialized" if self.driver != "none" else
                      "No display driver initialized")
        self.line("Initializing...")
        for text in ("SPIFS: Mounting File System...", "SPIFS: Mounted", "SPIFS: Loading config file"):
            self.line(text)
        self.config()
        self.line("*wm:AutoConnect ")
        self.line("*wm:Connecting to SAVED AP: barn")
        self.now += self.random.randrange(250, 1800)
        self.line("*wm:AutoConnect: SUCCESS ")
        self.line(f"*wm:STA IP Address: {self.ip}")
        self.line("")
        self.line("WiFi connected")
        self.line(f"IP address: {self.ip}")
        for text in (f"PoolString: {self.pool}", f"portNumber: {self.port}", "poolPassword: x",
                     f"btcString: {self.wallet}.{self.worker}", "TimeZone fromUTC: 2"):
            self.line(text)
        self.line("")
        self.line("Initiating tasks...")
        self.line("[MONITOR] started")
        self.printf("[WORKER] Started. Running (Stratum) on core 1")
        if self.version == "1.8.3":
            kind = "minerWorkerHwEsp32D" if self.chip == "esp32" else "minerWorkerHw"
            self.printf(f"[MINER] 0 Started {kind} Task!")
            if self.chip != "c3":
                self.printf("[MINER] 1 Started minerWorkerSw Task!")
        else:
            self.printf("[MINER]  0  Started runMiner Task!")
        self.line("TimeClient setup done")
        self.line(f"CONNECTED - Current ip: {self.ip}")

    def boot_old(self):
        self.line(f"Connecting to WiFi ........{self.ip}")
        self.line("RSSI: -67")
        self.line("Initiating tasks...")
        self.line("[MONITOR] started")
        self.printf(">>> Completed 0 share(s), 0 Khashes, avg. hashrate nan KH/s")
        self.line("Starting (0) successful!")
        self.printf("[WORKER] Started. Running (0) on core 0")
        self.printf("### [Total Heap / Free heap]: 351320 / 250156 ")

    def config(self):
        keys = [("poolString", f'"{self.pool}"'), ("portNumber", self.port)]
        if self.version != "1.6.3":
            keys.append(("poolPassword", '"x"'))
        keys += [("btcString", f'"{self.wallet}.{self.worker}"'), ("gmtZone", 2)]
        if self.version != "1.6.3":
            keys += [("saveStatsToNVS", "true" if self.saved_mhashes else "false"), ("invertColors", "false")]
        if self.version == "1.8.3":
            keys.append(("Brightness", 250))
        self.line("{")
        for i, (key, value) in enumerate(keys):
            self.line(f'  "{key}": {value}' + ("," if i + 1 < len(keys) else ""))
        self.line("}", "\n")

    # ---- the pool ----
    def user(self):
        return self.wallet if self.version == "1.3" else f"{self.wallet}.{self.worker}"

    def subscribe(self):
        self.line("Client not connected, trying to connect...")
        self.line(f"Resolved DNS and save ip (first time) got: {self.pool_ip}")
        self.now += 150
        core = "(0) " if self.version == "1.3" else ""
        self.line(f"[WORKER] {core}==> Mining subscribe")
        params = {"1.3": f'"{self.wallet}", "x"', "1.6.3": '"NerdMinerV2"'}.get(
            self.version, f'"NerdMinerV2/V{self.version}"')
        self.printf(f'  Sending  : {{"id": 1, "method": "mining.subscribe", "params": [{params}]}}')
        self.out.append("\n")
        self.now += 200
        session = self.hexes(8)
        self.line(f'  Receiving: {{"id":1,"error":null,"result":[[["mining.notify","{session}"]],"{session}",4]}}')
        self.line(f"    sub_details: {session}")
        self.line(f"    extranonce1: {session}")
        self.line("    extranonce2_size: 4")
        self.line(f"[WORKER] {core}==> Autorize work")
        self.printf(f'  Sending  : {{"params": ["{self.user()}", "x"], "id": 2, "method": "mining.authorize"}}')
        self.out.append("\n")
        if self.version != "1.3":
            self.printf('  Sending  : {"id":3,"method":"mining.suggest_difficulty","params":[0.00015]}')
        self.now += 90
        self.line('  Receiving: {"id":2,"error":null,"result":true}')
        self.line(f'  Receiving: {{"id":null,"method":"mining.set_difficulty","params":[{self.difficulty}]}}')
        self.line("    Parsing Method [SET DIFFICULTY]")
        self.printf(f"    difficulty: {self.difficulty:.12f}")
        self.notify()

    def notify(self):
        branches = ",".join(f'"{self.hexes(64)}"' for _ in range(6))
        self.job = self.hexes(7)
        self.line('  Receiving: {"id":null,"method":"mining.notify","params":["%s","%s","%s","%s",[%s],'
                  '"20000000","1701d936","%s",true]}' % (self.job, self.hexes(64), self.hexes(100),
                                                          self.hexes(120), branches, self.hexes(8)))
        self.line("    Parsing Method [MINING NOTIFY]")
        self.templates += 1
        self.mhashes_shown = int(self.hashes) // 1_000_000

    def submit(self, lucky=0.0):
        difficulty = lucky or self.difficulty / (1 - self.random.random())
        self.message += 1
        self.printf('  Sending  : {"id":%d,"method":"mining.submit","params":["%s","%s","00000001","%s","%s"]}'
                    % (self.message, self.user(), self.job, self.hexes(8), self.hexes(8)))
        self.printf(f"   - Current diff share: {difficulty:.12f}")
        self.printf(f"   - Current pool diff : {self.difficulty:.12f}")
        self.printf(f"   - TX SHARE: {self.hexes(64)}")
        self.now += self.random.randrange(60, 240)
        if self.random.random() < 0.02:
            self.line('  Receiving: {"id":%d,"error":[21,"Job not found",""],"result":null}' % self.message)
            self.printf("ERROR: 21 | reason: Job not found")
            self.printf(f"Refuse submition {self.message}")
            return
        self.line('  Receiving: {"id":%d,"error":null,"result":true}' % self.message)
        self.best = max(self.best, difficulty)
        if difficulty >= 1:
            self.shares += 1

    # ---- statistics ----
    def rate_text(self, khs):
        if self.version in ("1.3", "1.6.3"):
            return f"{khs:.2f}"
        return f"{khs:.2f}" if khs < 100 else f"{khs:.1f}" if khs < 1000 else f"{khs:.0f}"

    def statistics(self, khs):
        if self.driver == "SSD1306 128x64":
            self.printf(f">>> Hashrate: {self.rate_text(khs)} KH/s | Shares: {self.shares} | "
                        f"Best diff: {suffixed(self.best)}")
            return
        self.printf(f">>> Completed {self.shares} share(s), {int(self.hashes) // 1000} Khashes, "
                    f"avg. hashrate {self.rate_text(khs)} KH/s")
        if self.driver not in ("none", "OLED 0.42"):
            return
        days, rest = divmod(int(self.uptime), 86400)
        best = f"{self.best:.3f}" if self.version == "1.6.3" else suffixed(self.best)
        for text in ("Valid blocks: 0", f"Block templates: {self.templates}", f"Best difficulty: {best}",
                     f"32Bit shares: {self.shares}", f"Temperature: {self.random.choice((53, 53, 55, 57))}",
                     f"Total MHashes: {self.mhashes_shown}",
                     f"Time mining: {days}  {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"):
            self.follow(">>> " + text)

    def starving(self):
        self.printf(">>> [i] Miner: newJob>true / inRun>false) - Client: connected>false / subscribed>false / "
                    "wificonnected>true")

    def mine(self, until, lucky_at=None):
        """Statistics, jobs and shares until a time; one share of note at lucky_at."""
        next_job = self.now + 30000
        next_share = self.now + self.random.expovariate(1 / 28000)
        while self.now < until:
            begun = self.now
            if begun > next_job:
                self.notify()
                next_job = begun + self.random.randrange(35000, 60000)
            if begun > next_share:
                self.submit()
                next_share = begun + self.random.expovariate(1 / 28000)
            if lucky_at is not None and begun > lucky_at:
                self.submit(lucky=self.luck)
                lucky_at = None
            wave = 1 + 0.012 * self.random.uniform(-1, 1)
            self.statistics(self.khs * wave)
            step = self.period + self.random.randrange(12, 31)
            self.now = max(self.now + 5, begun + step)
            self.hashes += self.khs * wave * (self.now - begun)
            self.uptime += (self.now - begun) / 1000

    def without_pool(self, until):
        self.line("  Detected more than 2 min without data form stratum server. Closing socket and reopening...")
        while self.now < until:
            self.line("Client not connected, trying to connect...")
            self.printf(f"Imposible to connect to : {self.pool}")
            for _ in range(8):
                self.starving()
                self.now += self.period
                self.uptime += self.period / 1000

    def reset(self):
        """What a reboot leaves: the saved statistics, or nothing."""
        self.best, self.shares = self.saved_best, self.saved_shares
        self.hashes = self.saved_mhashes * 1_000_000
        self.mhashes_shown = self.saved_mhashes
        self.templates, self.uptime = self.saved_templates, self.saved_uptime
        self.message = 3


BASE = dict(version="1.8.3", driver="", chip="esp32", period=1000, khs=350.0, pool="public-pool.io", port=21496,
            pool_ip="203.0.113.40", difficulty=0.0025, luck=14.25, saved_mhashes=0, saved_best=0.0,
            saved_shares=0, saved_templates=0, saved_uptime=0)
MINUTE = 60_000


def steady(board, minutes):
    board.boot(POWERON)
    board.subscribe()
    board.mine(minutes * MINUTE, lucky_at=3 * MINUTE)


def loses_its_pool(board, minutes):
    board.boot(POWERON)
    board.subscribe()
    board.mine(4 * MINUTE)
    board.without_pool(5.5 * MINUTE)
    board.subscribe()
    board.mine(9 * MINUTE)
    board.without_pool(9.7 * MINUTE)
    board.subscribe()
    board.mine(minutes * MINUTE)


def goes_quiet(board, minutes):
    board.boot(POWERON)
    board.subscribe()
    board.mine(5 * MINUTE)
    board.now = 9 * MINUTE  # nothing for four minutes, then the supply recovers
    board.reset()
    board.boot(BROWNOUT)
    board.subscribe()
    board.mine(minutes * MINUTE)


def crashes_once(board, minutes):
    board.boot(POWERON)
    board.subscribe()
    board.mine(7 * MINUTE)
    board.line("Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.")
    for text in ("", "Core  1 register dump:",
                 "PC      : 0x400d71c2  PS      : 0x00060a30  A0      : 0x800d5a01  A1      : 0x3ffd2f40",
                 "", "Backtrace: 0x400d71bf:0x3ffd2f40 0x400d59fe:0x3ffd2f60 0x4009065a:0x3ffd3020", "",
                 "ELF file SHA256: 0000000000000000", "", "Rebooting..."):
        board.line(text)
    board.reset()
    board.boot({"esp32": "0xc (SW_CPU_RESET)", "s3": "0xc (RTC_SW_CPU_RST)", "c3": "0xc (RTC_SW_CPU_RST)"})
    board.subscribe()
    board.mine(minutes * MINUTE)


FLOCK = {
    "01-cyd": (steady, 14, dict(khs=353.0, wallet="bc1qdemo0cyd0shelf0two", worker="DEMO-CYD", ip="192.168.4.21")),
    "02-weact": (steady, 12, dict(driver="none", period=2000, khs=352.0, wallet="bc1qdemo0weact0window",
                                  worker="DEMO-WEACT", ip="192.168.4.22", luck=2310.5, saved_mhashes=41654,
                                  saved_best=812.4, saved_shares=9, saved_templates=1432, saved_uptime=118_000)),
    "03-tdisplay": (crashes_once, 14, dict(chip="s3", khs=268.0, difficulty=0.0018, wallet="bc1qdemo0tdisplay0desk",
                                           worker="DEMO-S3", ip="192.168.4.23", pool="pool.nerdminers.org",
                                           port=3333, pool_ip="203.0.113.41")),
    "04-m5stack": (steady, 13, dict(version="1.7.0", driver="M5stack", khs=78.4, difficulty=0.0006,
                                    wallet="bc1qdemo0m5stack0kitchen", worker="DEMO-M5", ip="192.168.4.24", luck=1.92)),
    "05-oled": (loses_its_pool, 13, dict(driver="SSD1306 128x64", khs=345.0, wallet="bc1qdemo0oled0barn",
                                         worker="DEMO-OLED", ip="192.168.4.25", pool="pool.example.org",
                                         port=3333, pool_ip="203.0.113.42")),
    "06-devkit": (goes_quiet, 13, dict(version="1.6.3", driver="none", period=2000, khs=54.2, difficulty=0.0005,
                                       wallet="bc1qdemo0devkit0attic", worker="DEMO-DEVKIT", ip="192.168.4.26")),
    "07-c3": (steady, 11, dict(driver="OLED 0.42", chip="c3", period=2000, khs=186.0, difficulty=0.0013,
                               wallet="bc1qdemo0c30mini0shelf", worker="DEMO-C3", ip="192.168.4.27", luck=5.07,
                               pool="pool.nerdminers.org", port=3333, pool_ip="203.0.113.41")),
    "08-veteran": (steady, 14, dict(version="1.3", khs=20.6, difficulty=0.00015, wallet="bc1qdemo0veteran0hall",
                                    worker="DEMO-OLD", ip="192.168.4.28", luck=1.04)),
}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--check", action="store_true")
    check = args.parse_args().check
    wrong = 0
    for i, (name, (story, minutes, spec)) in enumerate(FLOCK.items()):
        board = Board({**BASE, **spec}, seed=2100 + i)
        story(board, minutes)
        data = "".join(board.out).encode()
        path = HERE / f"{name}.log"
        if len(data) > SIZE_LIMIT:
            sys.exit(f"{path.name}: {len(data)} bytes are over the limit of {SIZE_LIMIT}")
        if not check:
            path.write_bytes(data)
        elif not path.exists() or path.read_bytes() != data:
            print(f"{path.name} is not what make.py makes")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())

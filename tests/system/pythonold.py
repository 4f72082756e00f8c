"""Databases and a CSV as the Python Shepherd left them, of several of its versions. Made here, with invented
miners; the columns are facts of its source (tnotm/shepherd, history of database.py)."""
import sqlite3

ADDRESS = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
LEGACY = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"

MINERS_FIRST = """CREATE TABLE miners (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id TEXT UNIQUE NOT NULL,
    chipset TEXT, attrs_idVendor TEXT, attrs_idProduct TEXT, attrs_serial TEXT UNIQUE, tty_symlink TEXT,
    nerdminer_rom TEXT, nerdminer_vrs TEXT, status TEXT DEFAULT 'inactive', last_seen TEXT)"""
MINERS_LAST = """CREATE TABLE miners (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id TEXT UNIQUE NOT NULL,
    chipset TEXT, dev_path TEXT, port_path TEXT, location_notes TEXT, attrs_idVendor TEXT, attrs_idProduct TEXT,
    attrs_serial TEXT, mac_address TEXT UNIQUE, nerdminer_rom TEXT, nerdminer_vrs TEXT,
    status TEXT DEFAULT 'Inactive', state TEXT, currency TEXT, pool_url TEXT, wallet_address TEXT,
    last_seen TEXT, UNIQUE (port_path, attrs_serial))"""
LOGS = """CREATE TABLE miner_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id INTEGER, log_key TEXT NOT NULL,
    log_value TEXT, created_at TEXT NOT NULL, FOREIGN KEY (miner_id) REFERENCES miners (id) ON DELETE CASCADE)"""
SUMMARY = """CREATE TABLE miner_summary (miner_id INTEGER PRIMARY KEY, last_updated TEXT, "KH/s" TEXT,
    "Temperature" TEXT, "Valid blocks" TEXT, "Best difficulty" TEXT, "Total MHashes" TEXT, "Submits" TEXT,
    "Shares" TEXT, "Time mining" TEXT, "Block templates" TEXT, last_mhashes_cumulative REAL,
    last_mhashes_timestamp TEXT, FOREIGN KEY (miner_id) REFERENCES miners (id) ON DELETE CASCADE)"""
POOLS = """CREATE TABLE pools (id INTEGER PRIMARY KEY AUTOINCREMENT, pool_name TEXT NOT NULL UNIQUE,
    pool_url TEXT NOT NULL, pool_port INTEGER NOT NULL, pool_user TEXT NOT NULL, pool_pass TEXT DEFAULT 'x',
    is_active INTEGER DEFAULT 0)"""
ADDRESSES = """CREATE TABLE coin_addresses (id INTEGER PRIMARY KEY AUTOINCREMENT, coin_ticker TEXT NOT NULL,
    address TEXT NOT NULL UNIQUE, label TEXT)"""
UNCONFIGURED = """CREATE TABLE unconfigured_devices (id INTEGER PRIMARY KEY AUTOINCREMENT,
    dev_path TEXT NOT NULL, port_path TEXT UNIQUE, vendor_id TEXT, product_id TEXT, serial_number TEXT,
    discovered_at TEXT NOT NULL)"""
STRAYS = """CREATE TABLE stray_devices (id INTEGER PRIMARY KEY AUTOINCREMENT, dev_path TEXT UNIQUE NOT NULL,
    port_path TEXT NOT NULL, vendor_id TEXT, product_id TEXT, serial_number TEXT, mac_address TEXT, chipset TEXT,
    discovered_at TEXT NOT NULL, status TEXT DEFAULT 'Initializing', state TEXT DEFAULT 'Detected',
    dumped_pool_url TEXT, dumped_wallet_address TEXT, dumped_firmware_version TEXT,
    UNIQUE (port_path, serial_number))"""


def serial(n):
    return f"B8:F8:62:00:00:{n:02X}"


def connect(path, *tables):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    for table in tables:
        db.execute(table)
    return db


def pools_and_addresses(db):
    db.execute("INSERT INTO pools(pool_name, pool_url, pool_port, pool_user, pool_pass, is_active)"
               " VALUES ('Public', 'public-pool.io', 21496, ?, 'x', 1)", (ADDRESS,))
    db.execute("INSERT INTO pools(pool_name, pool_url, pool_port, pool_user) VALUES ('Solo', 'solo.example.org',"
               " 3333, ?)", (LEGACY,))
    db.execute("INSERT INTO coin_addresses(coin_ticker, address, label) VALUES ('BTC', ?, 'cold'), ('BTC', ?, NULL)",
               (ADDRESS, LEGACY))


def first(path, n=4):
    """The first one: miners by tty_symlink, logs and summary, nothing else."""
    db = connect(path, MINERS_FIRST, LOGS, SUMMARY)
    for i in range(1, n + 1):
        db.execute("INSERT INTO miners(miner_id, chipset, attrs_idVendor, attrs_idProduct, attrs_serial, tty_symlink,"
                   " nerdminer_rom, nerdminer_vrs) VALUES (?, 'ESP32-S3', '303a', '1001', ?, ?, 'weact', '1.8.3')",
                   (f"MINER_{i:03}", serial(i), f"ttyESP32-MINER_{i:03}"))
        db.execute("INSERT INTO miner_logs(miner_id, log_key, log_value, created_at) VALUES (?, 'KH/s', '78', 'x')", (i,))
    db.execute("INSERT INTO miner_summary(miner_id, last_updated, \"Best difficulty\") VALUES"
               " (1, '2025-03-01 12:00:00', '1.5K')")
    return db


def middle(path):
    """Pools and addresses came, and unconfigured_devices."""
    db = first(path)
    for table in (POOLS, ADDRESSES, UNCONFIGURED):
        db.execute(table)
    for column in ("port_path TEXT", "location_notes TEXT", "mac_address TEXT"):
        db.execute(f"ALTER TABLE miners ADD COLUMN {column}")
    db.execute("UPDATE miners SET location_notes = 'shelf 2', port_path = '1-1.' || id")
    db.execute("INSERT INTO unconfigured_devices(dev_path, port_path, vendor_id, product_id, serial_number,"
               " discovered_at) VALUES ('/dev/ttyUSB9', '1-1.4', '10c4', 'ea60', '0001', 'x')")
    pools_and_addresses(db)
    return db


def last(path, n=3):
    """As at the end: stray_devices, wallet and pool of each miner."""
    db = connect(path, MINERS_LAST, STRAYS, LOGS, SUMMARY, POOLS, ADDRESSES)
    for i in range(1, n + 1):
        db.execute("INSERT INTO miners(miner_id, chipset, dev_path, port_path, location_notes, attrs_idVendor,"
                   " attrs_idProduct, attrs_serial, mac_address, nerdminer_vrs, status, state, currency, pool_url,"
                   " wallet_address, last_seen) VALUES (?, 'ESP32-S3', ?, ?, 'barn', '303a', '1001', ?, ?, '1.8.3',"
                   " 'Active', 'Synced', 'BTC', 'public-pool.io:21496', ?, '2025-10-01 10:00:00')",
                   (f"BARN-{i:02}", f"/dev/ttyACM{i}", f"1-1.{i}", serial(i), serial(i), f"{ADDRESS}.BARN-{i:02}"))
    db.execute("INSERT INTO stray_devices(dev_path, port_path, vendor_id, product_id, serial_number, mac_address,"
               " discovered_at) VALUES ('/dev/ttyUSB9', '1-2', '1a86', '7523', 'PORT_1-2', ?, 'x')", (serial(99),))
    db.execute("INSERT INTO miner_summary(miner_id, last_updated, \"Best difficulty\", \"KH/s\") VALUES"
               " (1, '2025-10-01T10:00:00', '2.25M', '78.5'), (2, NULL, NULL, NULL)")
    pools_and_addresses(db)
    return db


VERSIONS = {"first": first, "middle": middle, "last": last}

CSV = ("id,miner_id,chipset,attrs_idVendor,attrs_idProduct,attrs_serial,tty_symlink,nerdminer_rom,nerdminer_vrs\n"
       + "".join(f"{i},MINER_{i:03},ESP32-S3-WROOM-1,303a,1001,{serial(i)},ttyESP32-MINER_{i:03},ESP32-S3-devKitv1,1.8.3\n"
                 for i in range(1, 5)))

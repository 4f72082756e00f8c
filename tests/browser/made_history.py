"""made_history.py DATABASE: gives the miners of a demo a made year of hash rate, temperature and shares, for the pictures in the
README: minute rows for a day, hour rows for a month, day rows for a year. The daemon must not run. Always the same figures."""
import math
import random
import sqlite3
import sys
import time

PERIODS = [(60, 86400), (3600, 30 * 86400), (86400, 365 * 86400)]
USUAL_KHS = [355, 352, 266, 78, 342, 54, 186, 20.6]  # in the order of the demo flock


def row_values(rng, base, period, t):
    day = math.sin(2 * math.pi * (t % 86400) / 86400)
    rate = base * (1 + 0.012 * day + rng.gauss(0, 0.006))
    celsius = 52 + 4 * day + rng.gauss(0, 0.5)
    shares = sum(rng.random() < base / 350 * 0.02 for _ in range(60)) * period / 60 / 10
    return rate, celsius, round(shares)


def rows(miner, base, now):
    rng = random.Random(miner)
    for period, span in PERIODS:
        begun = now - span * rng.uniform(0.8, 1.0)
        away = begun + (now - begun) * rng.uniform(0.3, 0.6)
        back = away + (now - begun) * 0.04 * rng.random()
        for t in range(int(begun) // period * period, int(now) // period * period, period):
            if away < t < back:
                continue  # it was unplugged: a gap
            rate, celsius, shares = row_values(rng, base * 1000, period, t)
            for metric, value, spread in (("hashrate", rate, rate * 0.02), ("temperature", celsius, 1)):
                yield period, t * 1000, miner, metric, period // 5, value - spread, value + spread, value, value
            yield period, t * 1000, miner, "shares_accepted", period // 5, None, None, shares, None


def main(path):
    database = sqlite3.connect(path)
    for index, (miner,) in enumerate(database.execute("SELECT id FROM miners ORDER BY id").fetchall()):
        made = rows(miner, USUAL_KHS[index % len(USUAL_KHS)], time.time() - 120)
        database.executemany("INSERT OR IGNORE INTO rollups(period_s, t_ms, miner_id, metric, n, min, max, avg, last)"
                             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", made)
    database.execute("INSERT OR REPLACE INTO herd_rollups SELECT period_s, t_ms, metric, count(avg), sum(avg) FROM rollups"
                     " GROUP BY period_s, t_ms, metric")
    database.commit()
    database.close()


main(sys.argv[1])

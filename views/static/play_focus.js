// What may interrupt /play: a miner that went offline, a new best share, a block.
//
// It is told every event and decides what is worth a look. A miner that comes back within seconds
// was replugged, not lost; ten that go at once are one message; one that goes every minute is not
// news each time; and when the daemon starts, every port is new to it.

const OFFLINE_HOLD_MS = 5000;
const OFFLINE_AGAIN_MS = 10 * 60_000;
const BEST_AGAIN_MS = 60_000; // within this only a better one
const GRACE_MS = 10_000; // after a start
const MINERS_MAX = 1000; // remembered

export const FOCUS_KINDS = ["offline", "best_share", "block_found"];

/** "1.235M": as many figures as people read. */
export function share_text(value) {
    const units = ["", "K", "M", "G", "T", "P", "E"];
    let unit = 0;
    while (value >= 999.95 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return Number(value.toPrecision(4)) + units[unit];
}

function went_offline({ event, text }) {
    return event === "link.down" || (event === "miner.status" && /> offline$/.test(text ?? ""));
}

function came_back({ event, text }) {
    return event === "link.up" || (event === "miner.status" && !/> offline$/.test(text ?? ""));
}

/**
 * steal({ kind, miners } | { kind, miner, value, at_ms }) is called for what is worth it.
 * kinds(): a Set of what is wanted now. now(): ms that only rise. later(function, ms): setTimeout.
 */
export function focus_make({ steal, kinds, now, later }) {
    const gone = new Map(); // miner_id → its name, as long as nobody was told
    const told_ms = new Map(); // miner_id → when
    let gathering = false;
    let quiet_until_ms = now() + GRACE_MS;
    let best = { value: 0, at_ms: -Infinity };

    function tell_gone() {
        gathering = false;
        const miners = [...gone.values()];
        for (const id of gone.keys()) told_ms.set(id, now());
        gone.clear();
        if (told_ms.size > MINERS_MAX) told_ms.clear();
        if (miners.length) steal({ kind: "offline", miners });
    }

    function hear_offline({ miner_id, miner }) {
        if (now() < quiet_until_ms || !miner) return;
        if (now() - (told_ms.get(miner_id) ?? -Infinity) < OFFLINE_AGAIN_MS) return;
        gone.set(miner_id, miner);
        if (gathering) return;
        gathering = true;
        later(tell_gone, OFFLINE_HOLD_MS);
    }

    function hear_best({ miner, value, at_ms }) {
        if (!miner || !(value > 0)) return;
        if (now() - best.at_ms < BEST_AGAIN_MS && value <= best.value) return;
        best = { value, at_ms: now() };
        steal({ kind: "best_share", miner, value, at_ms });
    }

    return {
        hear(event) {
            const wanted = kinds();
            if (event.event === "daemon.start") this.started();
            else if (event.event === "block.found" && wanted.has("block_found")) {
                steal({ kind: "block_found", miner: event.miner, at_ms: event.at_ms });
            } else if (event.event === "share.best" && wanted.has("best_share")) hear_best(event);
            else if (went_offline(event) && wanted.has("offline")) hear_offline(event);
            else if (came_back(event)) gone.delete(event.miner_id);
        },
        /** The daemon was started: what it finds missing was missing before. */
        started() {
            gone.clear();
            quiet_until_ms = now() + GRACE_MS;
        },
    };
}

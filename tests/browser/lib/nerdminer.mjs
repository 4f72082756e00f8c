// What a NerdMiner_v2 without a display says, once a second.

export function statistics({ khs = 78.5, best = "12.34K", templates = 5, shares = 2, celsius = 51, seconds = 3723 } = {}) {
    const two = (n) => String(n).padStart(2, "0");
    const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return [
        `>>> Completed ${shares} share(s), ${Math.round(khs * seconds)} Khashes, avg. hashrate ${khs.toFixed(2)} KH/s`,
        ">>> Valid blocks: 0",
        `>>> Block templates: ${templates}`,
        `>>> Best difficulty: ${best}`,
        `>>> 32Bit shares: ${shares}`,
        `>>> Temperature: ${celsius}`,
        `>>> Total MHashes: ${Math.floor((khs * seconds) / 1000)}`,
        `>>> Time mining: ${Math.floor(seconds / 86400)}  ${clock}`,
    ];
}

export function login(user) {
    return [
        "NerdMiner v2 starting......",
        "[WORKER] ==> Mining subscribe",
        '  Sending  : {"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.8.3"]}',
        "[WORKER] ==> Autorize work",
        `  Sending  : {"params": [${JSON.stringify(user)}, "x"], "id": 2, "method": "mining.authorize"}`,
    ];
}

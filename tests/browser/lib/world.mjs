// The world outside, on the loopback: what the services ask for price and network, with figures that we made up.

import { once } from "node:events";
import http from "node:http";

export const PRICE = { usd: 68432.4, change: -1.36 };
export const NETWORK = { height: 871234, difficulty: 109.78e12, hashrate: 812.4e18, fee_half_hour: 12 };

const now_s = () => Math.floor(Date.now() / 1000);
const REPLIES = {
    "/price": () => ({ last_price_usd: PRICE.usd, price_change_1D_percent: PRICE.change }),
    "/api/blocks/tip/height": () => NETWORK.height,
    "/api/v1/fees/recommended": () => ({ fastestFee: 15, halfHourFee: NETWORK.fee_half_hour, hourFee: 9, minimumFee: 3 }),
    "/api/v1/difficulty-adjustment": () => ({ remainingBlocks: 1200, difficultyChange: 2.5 }),
    "/api/v1/mining/hashrate/3d": () => ({ currentHashrate: NETWORK.hashrate, currentDifficulty: NETWORK.difficulty }),
    "/api/v1/blocks": () => [{ height: NETWORK.height, timestamp: now_s() - 300 }],
};

/** { url, close() } */
export async function world_open() {
    const server = http.createServer((request, response) => {
        const reply = REPLIES[request.url.split("?")[0]];
        response.writeHead(reply ? 200 : 404, { "Content-Type": "application/json" });
        response.end(reply ? JSON.stringify(reply()) : "{}");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        async close() {
            server.closeAllConnections();
            server.close();
            await once(server, "close");
        },
    };
}

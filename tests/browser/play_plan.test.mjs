// The plan of /play without a browser: playlist, hours, dusk and dawn, the sun.

import assert from "node:assert/strict";
import { test } from "node:test";

import { static_import } from "./lib/static.mjs";

const {
    hours_have,
    hours_parse,
    minute_of_day,
    night_darkness,
    night_light,
    night_parse,
    plan_due,
    plan_next_minute,
    plan_parse,
    plan_step,
    shift_at,
} = await static_import("play_plan.js");
const { sun_day, sun_elevation, sun_night } = await static_import("play_sun.js");

const at = (text) => Date.parse(text);
const names = (entries) => entries.map(({ name }) => name);

test("a playlist: names, seconds, hours, paths", () => {
    const { entries, wrong } = plan_parse("kiosk:30, health,matrix@18-23,flock:5@22:30-6:15,/examples/x?room=2,warm", 20);
    assert.deepEqual(wrong, []);
    assert.deepEqual(
        entries.map(({ path, dwell_s, hours }) => [path, dwell_s, hours]),
        [
            ["/kiosk", 30, null],
            ["/dash/health", 20, null],
            ["/dash/matrix", 20, { from: 1080, to: 1380 }],
            ["/", 5, { from: 1350, to: 375 }],
            ["/examples/x?room=2", 20, null],
            ["/warm", 20, null],
        ],
    );
});

test("what is no view is left out and named", () => {
    const text = "//evil.example/x,/\\evil.example,play,/play?views=play,kiosk@25-3,kiosk@3,/play/,/x/../play,health:0";
    const { entries, wrong } = plan_parse(text, 20);
    assert.deepEqual(names(entries), ["health"]);
    assert.equal(entries[0].dwell_s, 1);
    assert.equal(wrong.length, 8);
    assert.equal(plan_parse("constructor", 20).entries[0].path, "/constructor");
    assert.equal(plan_parse("kiosk,".repeat(40), 20).entries.length, 32);
    assert.deepEqual(plan_parse("", 20), { entries: [], wrong: [] });
});

test("hours, also over midnight", () => {
    assert.deepEqual(hours_parse("22-6"), { from: 1320, to: 360 });
    assert.deepEqual(hours_parse("8-24"), { from: 480, to: 0 });
    for (const wrong of ["", "22", "22-", "-6", "22-6-7", "22:60-6", "24:30-6", "a-b"]) {
        assert.equal(hours_parse(wrong), null, wrong);
    }
    const night = hours_parse("22-6");
    for (const [minute, inside] of [[1319, false], [1320, true], [0, true], [359, true], [360, false]]) {
        assert.equal(hours_have(night, minute), inside, String(minute));
    }
    assert.ok(hours_have(hours_parse("8-24"), 1439));
    assert.ok(hours_have(hours_parse("8-8"), 3));
});

test("what is due, what is next, what was before", () => {
    const { entries } = plan_parse("kiosk,matrix@18-23,health", 20);
    const [kiosk, matrix, health] = entries;
    assert.deepEqual(plan_due(entries, 600), [kiosk, health]);
    assert.equal(plan_step(entries, kiosk, 1, 600), health);
    assert.equal(plan_step(entries, kiosk, 1, 1100), matrix);
    assert.equal(plan_step(entries, kiosk, -1, 600), health);
    assert.equal(plan_step(entries, matrix, 1, 600), health, "its hours are over: on from where it stood");
    assert.equal(plan_step(entries, null, 1, 600), kiosk);
    assert.equal(plan_step(entries, null, -1, 600), health);
    const evening = plan_parse("matrix@18-23,kiosk@7:30-9", 20).entries;
    assert.equal(plan_step(evening, null, 1, 600), null);
    assert.equal(plan_next_minute(evening, 600), 1080);
    assert.equal(plan_next_minute(evening, 1400), 450);
    assert.equal(plan_next_minute([], 1400), null);
});

test("the minute of the day follows the zone, also on the day when the clock jumps", () => {
    assert.equal(minute_of_day(at("2026-03-29T00:59:00Z"), "Europe/Vienna"), 119);
    assert.equal(minute_of_day(at("2026-03-29T01:00:00Z"), "Europe/Vienna"), 180);
    assert.equal(minute_of_day(at("2026-01-01T18:30:00Z"), "Asia/Kolkata"), 0);
    assert.equal(minute_of_day(at("2026-01-01T00:00:30Z"), "UTC"), 0.5);
    assert.ok(minute_of_day(Date.now(), "No/Where") >= 0);
});

test("dusk and dawn are half an hour of a smooth curve", () => {
    const night = night_parse("22-6");
    const dark = (clock, day = "01") => night_darkness(night, at(`2026-01-${day}T${clock}Z`), { timezone: "UTC" });
    assert.equal(dark("21:59:59"), 0);
    assert.equal(dark("22:00:00"), 0);
    assert.equal(dark("22:15:00"), 0.5);
    assert.equal(dark("22:30:00"), 1);
    assert.equal(dark("03:00:00"), 1);
    assert.equal(dark("05:45:00"), 0.5);
    assert.equal(dark("06:00:00"), 0);
    for (let ms = 0, last = 0; ms < 30 * 60_000; ms += 10_000) {
        const now = night_darkness(night, at("2026-01-01T22:00:00Z") + ms, { timezone: "UTC" });
        assert.ok(now >= last && now - last < 0.01, "no step that an eye would see");
        last = now;
    }
    assert.equal(night_parse(""), null);
    assert.equal(night_parse("late"), null);
    assert.equal(night_darkness(null, 0), 0);
    assert.equal(night_darkness(night_parse("8-8"), 0), 1);
    const short = night_parse("22-22:20");
    const peak = night_darkness(short, at("2026-01-01T22:10:00Z"), { timezone: "UTC" });
    assert.ok(peak > 0 && peak < 0.2, "a short night does not get quite dark");
});

test("what the night leaves of red, green and blue", () => {
    assert.deepEqual(night_light(0, { level: 0.3, red: true }), { red: 1, green: 1, blue: 1 });
    assert.deepEqual(night_light(1, { level: 0.3, red: false }), { red: 0.3, green: 0.3, blue: 0.3 });
    const { red, green, blue } = night_light(1, { level: 0.3, red: true });
    assert.ok(red === 0.3 && green < red && blue < green && blue > 0);
});

// Published times (timeanddate.com, in the local time of the place).
const SUNS = [
    ["London", 51.51, -0.13, "2024-06-20", "2024-06-20T04:43+01:00", "2024-06-20T21:21+01:00"],
    ["London", 51.51, -0.13, "2024-12-21", "2024-12-21T08:04+00:00", "2024-12-21T15:53+00:00"],
    ["Vienna", 48.21, 16.37, "2024-06-21", "2024-06-21T04:54+02:00", "2024-06-21T20:58+02:00"],
    ["New York", 40.71, -74.01, "2024-03-20", "2024-03-20T06:59-04:00", "2024-03-20T19:08-04:00"],
    ["Sydney", -33.87, 151.21, "2024-12-21", "2024-12-21T05:41+11:00", "2024-12-21T20:05+11:00"],
    ["Reykjavik", 64.15, -21.94, "2024-06-21", "2024-06-21T02:55+00:00", "2024-06-22T00:03+00:00"],
];
for (const [place, latitude, longitude, day, rise, set] of SUNS) {
    test(`sunrise and sunset: ${place}, ${day}`, () => {
        const noon = at(`${day}T12:00:00Z`) - longitude * 240_000;
        const { rise_ms, set_ms } = sun_day(noon, latitude, longitude);
        for (const [said, published] of [[rise_ms, rise], [set_ms, set]]) {
            const minutes = Math.abs(said - at(published)) / 60_000;
            assert.ok(minutes <= 2, `${new Date(said).toISOString()} is ${minutes.toFixed(1)} min from ${published}`);
        }
        assert.ok(sun_night(set_ms + 60_000, latitude, longitude).since_ms < 120_000);
        assert.equal(sun_night(set_ms - 60_000, latitude, longitude), null);
    });
}

test("where the sun does not rise, or not set", () => {
    const tromso = [69.65, 18.96];
    assert.equal(sun_night(at("2024-06-21T23:00:00Z"), ...tromso), null);
    assert.deepEqual(sun_night(at("2024-12-21T11:00:00Z"), ...tromso), { since_ms: Infinity, until_ms: Infinity });
    const where = { latitude: tromso[0], longitude: tromso[1] };
    assert.equal(night_darkness("sun", at("2024-06-21T23:00:00Z"), where), 0);
    assert.equal(night_darkness("sun", at("2024-12-21T11:00:00Z"), where), 1);
    for (const pole of [-90, 90]) assert.ok(Number.isFinite(sun_elevation(at("2024-06-21T12:00:00Z"), pole, 0)));
});

test("a year of suns has no leap: the curve is continuous at every latitude", () => {
    for (const latitude of [-78, -34, 0, 48, 66.4, 69.65]) {
        let last = null;
        for (let ms = at("2026-01-01T00:00:00Z"); ms < at("2027-01-01T00:00:00Z"); ms += 4 * 86_400_000) {
            for (let minute = 0; minute < 1440; minute += 5) {
                const now = night_darkness("sun", ms + minute * 60_000, { latitude, longitude: 170 });
                if (minute > 0) assert.ok(Math.abs(now - last) < 0.3, `${latitude}° ${new Date(ms + minute * 60_000)}`);
                last = now;
            }
        }
    }
});

test("the picture moves by single pixels and stays within four", () => {
    const seen = new Set();
    for (let minute = 0; minute < 61 * 83; minute++) {
        const [a, b] = [shift_at(minute), shift_at(minute + 1)];
        assert.ok(Math.abs(a.x) <= 4 && Math.abs(a.y) <= 4);
        assert.ok(Math.abs(a.x - b.x) <= 1 && Math.abs(a.y - b.y) <= 1);
        seen.add(`${a.x},${a.y}`);
    }
    assert.equal(seen.size, 81, "every place gets its turn");
});

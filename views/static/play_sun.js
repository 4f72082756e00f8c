// Where the sun stands: for screens that are dark from sunset to sunrise.
//
// Formulas of the NOAA solar calculator (Global Monitoring Laboratory, "Solar Calculation Details", after Jean
// Meeus, Astronomical Algorithms): good to a minute between 72° north and south, and still right beyond about whether
// the sun rises at all. Sunset is when the sun's centre is 0.833° below the horizon: half its width, and refraction.

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const HORIZON = -0.833;
const UNIX_EPOCH_JULIAN = 2440587.5;
const RADIAN = Math.PI / 180;

const sin = (degrees) => Math.sin(degrees * RADIAN);
const cos = (degrees) => Math.cos(degrees * RADIAN);
const tan = (degrees) => Math.tan(degrees * RADIAN);

/** { declination in degrees, equation: minutes that a sundial is ahead of the clock }. */
function sun_position(at_ms) {
    const century = (at_ms / DAY + UNIX_EPOCH_JULIAN - 2451545) / 36525;
    const longitude = 280.46646 + century * (36000.76983 + century * 0.0003032);
    const anomaly = 357.52911 + century * (35999.05029 - 0.0001537 * century);
    const eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century);
    const centre =
        sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century)) +
        sin(2 * anomaly) * (0.019993 - 0.000101 * century) +
        sin(3 * anomaly) * 0.000289;
    const node = 125.04 - 1934.136 * century;
    const apparent = longitude + centre - 0.00569 - 0.00478 * sin(node);
    const mean_obliquity =
        23 + (26 + (21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))) / 60) / 60;
    const obliquity = mean_obliquity + 0.00256 * cos(node);
    const y = tan(obliquity / 2) ** 2;
    const equation =
        4 *
        (y * sin(2 * longitude) -
            2 * eccentricity * sin(anomaly) +
            4 * eccentricity * y * sin(anomaly) * cos(2 * longitude) -
            0.5 * y * y * sin(4 * longitude) -
            1.25 * eccentricity ** 2 * sin(2 * anomaly));
    return { declination: Math.asin(sin(obliquity) * sin(apparent)) / RADIAN, equation: equation / RADIAN };
}

/** Degrees of the sun's centre above the horizon, without refraction. */
export function sun_elevation(at_ms, latitude, longitude) {
    const { declination, equation } = sun_position(at_ms);
    const minutes = ((at_ms % DAY) + DAY) % DAY / MINUTE + equation + 4 * longitude;
    const hour_angle = minutes / 4 - 180;
    return Math.asin(sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)) / RADIAN;
}

/** The moment of the highest sun that is nearest to at_ms. */
export function sun_noon(at_ms, longitude) {
    const first_ms = Math.round((at_ms + longitude * 4 * MINUTE) / DAY - 0.5) * DAY + DAY / 2 - longitude * 4 * MINUTE;
    return first_ms - sun_position(first_ms).equation * MINUTE;
}

/** When the sun crosses the horizon between two moments of which only one is day; null: it does not. */
function sun_crossing(from_ms, to_ms, latitude, longitude) {
    const is_up = (at_ms) => sun_elevation(at_ms, latitude, longitude) > HORIZON;
    const up_first = is_up(from_ms);
    if (is_up(to_ms) === up_first) return null;
    while (to_ms - from_ms > 500) {
        const middle_ms = (from_ms + to_ms) / 2;
        if (is_up(middle_ms) === up_first) from_ms = middle_ms;
        else to_ms = middle_ms;
    }
    return to_ms;
}

/** Sunrise and sunset around the noon nearest to at_ms, in ms; null: the sun does not cross the horizon. */
export function sun_day(at_ms, latitude, longitude) {
    const noon_ms = sun_noon(at_ms, longitude);
    return {
        rise_ms: sun_crossing(noon_ms - DAY / 2, noon_ms, latitude, longitude),
        set_ms: sun_crossing(noon_ms, noon_ms + DAY / 2, latitude, longitude),
    };
}

/**
 * The night around at_ms: { since_ms, until_ms } counted from at_ms, Infinity where the sun stays away;
 * null: it is day.
 */
export function sun_night(at_ms, latitude, longitude) {
    if (sun_elevation(at_ms, latitude, longitude) > HORIZON) return null;
    const days = [-1, 0, 1].map((day) => sun_day(at_ms + day * DAY, latitude, longitude));
    const sets = days.map(({ set_ms }) => set_ms).filter((ms) => ms !== null && ms <= at_ms);
    const rises = days.map(({ rise_ms }) => rise_ms).filter((ms) => ms !== null && ms > at_ms);
    return {
        since_ms: sets.length ? at_ms - Math.max(...sets) : Infinity,
        until_ms: rises.length ? Math.min(...rises) - at_ms : Infinity,
    };
}

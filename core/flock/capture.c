/* Reset and capture: a board is booted by its source and watched until its log has told pool and
 * wallet again, at most 30 s. Nothing else of it is kept here: what it says goes the way of every
 * line. A stranger that nobody listens to is listened to first; its port opens in its own time, so
 * the reset is tried until it can be done. Thread: loop. */
#include "flock/internal.h"

#include "util/clock.h"

enum {
    CAPTURE_MS = 30000, /* flock.h; the slowest boards need 12 s to their Wi-Fi */
    OPEN_MS = 8000,     /* until the port is open; a hub that wakes up takes a few seconds */
    LOOK_EVERY_MS = 100
};

struct capture {
    LIST_ENTRY(capture) link;
    struct flock *flock;
    struct loop_timer *timer;
    int64_t miner_id, begun_mono_ms, reset_at_ms; /* reset_at_ms 0: not done yet */
    char *key;                                    /* of the device; NULL: a miner's */
    flock_capture_fn done;
    void *arg;
};

static void put_text(json_t *out, const char *name, const struct miner *miner, uint32_t attr)
{
    json_object_set_new(out, name, text_json(miner_text(miner, attr, NULL)));
}

/* Said since then; 0: whenever. */
static const char *said_since(const struct miner *miner, uint32_t attr, int64_t since_ms)
{
    int64_t at_ms = 0;
    const char *text = miner_text(miner, attr, &at_ms);
    return text && text[0] && at_ms >= since_ms ? text : NULL;
}

struct serial_look {
    const char *key;
    json_t *out;
};

static void serial_of(const struct plugin_found *found, void *arg)
{
    struct serial_look *look = arg;
    if (look->key && str_eq(found->key, look->key))
        json_object_set_new(look->out, "serial_number", text_json(found->serial));
}

json_t *capture_data(const struct flock *flock, const struct miner *miner,
                     const struct device *device, int64_t since_ms)
{
    json_t *out = json_object();
    struct serial_look look = {.key = device ? device->key : NULL, .out = out};
    json_object_set_new(out, "pool_url", text_json(said_since(miner, SHEP_A_POOL, since_ms)));
    json_object_set_new(out, "wallet_address",
                        text_json(said_since(miner, SHEP_A_WALLET, since_ms)));
    put_text(out, "version", miner, SHEP_A_VERSION);
    put_text(out, "mac_address", miner, SHEP_A_MAC);
    put_text(out, "chipset", miner, SHEP_A_CHIP);
    put_text(out, "firmware", miner, SHEP_A_FIRMWARE);
    put_text(out, "board", miner, SHEP_A_BOARD);
    put_text(out, "worker", miner, SHEP_A_WORKER);
    json_object_set_new(out, "serial_number", json_null());
    plugins_found_each(flock->plugins, serial_of, &look);
    char *name = suggested_name_dup(flock, miner, device ? device->port_path : NULL, NULL);
    json_object_set_new(out, "suggested_name", text_json(name));
    free(name);
    return out;
}

static void capture_free(struct capture *capture)
{
    LIST_REMOVE(capture, link);
    loop_timer_free(capture->timer);
    free(capture->key);
    free(capture);
}

static json_t *data_of(const struct capture *capture, const struct miner *miner)
{
    struct device device = {0};
    bool plugged = capture->key ? device_by_key(capture->flock, capture->key, &device)
                                : device_of_miner(capture->flock, miner_name(miner), &device);
    json_t *data =
        capture_data(capture->flock, miner, plugged ? &device : NULL, capture->reset_at_ms);
    device_clear(&device);
    return data;
}

static void finish(struct capture *capture, int err, const char *message)
{
    struct miner *miner = herd_miner_by_id(capture->flock->herd, capture->miner_id);
    json_t *data = miner ? data_of(capture, miner) : NULL;
    flock_capture_fn done = capture->done;
    void *arg = capture->arg;
    capture_free(capture);
    done(err, message, data, arg);
    json_decref(data);
}

/* The board boots: its status says so until its first statistics. */
static void say_reset(struct capture *capture, struct miner *miner)
{
    static const char text[] = "asked for by a person";
    struct shep_event event = {.size = sizeof event,
                               .event = SHEP_EV_RESET,
                               .at_ms = clock_wall_ms(),
                               .text = text,
                               .text_len = sizeof text - 1};
    herd_event(capture->flock->herd, miner, &event);
}

static void try_reset(struct capture *capture, struct miner *miner)
{
    int rc = plugins_miner_reset(capture->flock->plugins, miner_name(miner));
    if (rc == 0) {
        capture->reset_at_ms = clock_wall_ms();
        capture->begun_mono_ms = clock_mono_ms();
        say_reset(capture, miner);
    } else if (rc == SHEP_E_UNSUPPORTED) {
        finish(capture, rc, "this board cannot be reset from here; pull its plug and put it back");
    } else if (clock_mono_ms() - capture->begun_mono_ms > OPEN_MS) {
        finish(capture, SHEP_E_GONE, "its port cannot be opened; is it plugged in, and free?");
    }
}

static void on_look(void *arg)
{
    struct capture *capture = arg;
    struct miner *miner = herd_miner_by_id(capture->flock->herd, capture->miner_id);
    if (!miner) {
        finish(capture, SHEP_E_GONE, "the miner was taken away meanwhile");
    } else if (!capture->reset_at_ms) {
        try_reset(capture, miner);
    } else if (said_since(miner, SHEP_A_POOL, capture->reset_at_ms) &&
               said_since(miner, SHEP_A_WALLET, capture->reset_at_ms)) {
        finish(capture, 0, "Configuration captured.");
    } else if (clock_mono_ms() - capture->begun_mono_ms > CAPTURE_MS) {
        finish(capture, SHEP_E_LIMIT,
               "The board was reset, but it did not tell its pool and wallet within 30 s.");
    }
}

void captures_end(struct flock *flock)
{
    while (!LIST_EMPTY(&flock->captures))
        finish(LIST_FIRST(&flock->captures), SHEP_E_GONE, "the daemon stops");
}

/* ---- begin ---- */

static int find_miner(struct flock *flock, const char *key, int64_t id, struct miner **out,
                      char why[FLOCK_WHY_MAX])
{
    struct device device;
    if (id)
        return miner_find(flock, id, out, why);
    if (!device_by_key(flock, key, &device))
        return refuse(SHEP_E_GONE, why, "no such device is plugged in (any more)");
    int rc = device.miner ? 0 : flock_device_listen(flock, key, NULL, why);
    device_clear(&device);
    if (rc)
        return rc;
    if (device_by_key(flock, key, &device) && device.miner)
        *out = herd_miner_by_name(flock->herd, device.miner);
    device_clear(&device);
    return *out ? 0 : refuse(SHEP_E_GONE, why, "the device went away");
}

static int may_begin(const struct flock *flock, const struct miner *miner, char why[FLOCK_WHY_MAX])
{
    const struct capture *capture;
    size_t n = 0;
    LIST_FOREACH(capture, &flock->captures, link)
    {
        n++;
        if (capture->miner_id == miner_id(miner))
            return refuse(SHEP_E_BUSY, why, "'%s' is being reset already", miner_name(miner));
    }
    if (n >= CAPTURES_MAX)
        return refuse(SHEP_E_BUSY, why, "%d boards are being reset already; wait a little",
                      CAPTURES_MAX);
    return 0;
}

int flock_reset_capture(struct flock *flock, const char *device_key, int64_t id,
                        flock_capture_fn done, void *arg, char why[FLOCK_WHY_MAX])
{
    struct miner *miner = NULL;
    int rc = find_miner(flock, device_key, id, &miner, why);
    if (!rc)
        rc = may_begin(flock, miner, why);
    if (rc)
        return rc;
    struct capture *capture = shep_alloc(sizeof *capture);
    capture->flock = flock;
    capture->miner_id = miner_id(miner);
    capture->begun_mono_ms = clock_mono_ms();
    capture->key = shep_strdup(device_key);
    capture->done = done;
    capture->arg = arg;
    LIST_INSERT_HEAD(&flock->captures, capture, link);
    capture->timer = loop_timer_new(flock->loop, &flock->owner, 0, LOOK_EVERY_MS, on_look, capture);
    return 0;
}

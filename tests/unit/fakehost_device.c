/* The fake host's devices: their options, their links, what they were fed, what was found. */
#include "fakehost_internal.h"

/* ---- host ---- */

static int host_feed(struct shep_ctx *ctx, struct shep_device *dev, const void *bytes, size_t len)
{
    host_of(ctx);
    assert_true(dev->attached);
    assert_true(len <= 65536);
    if (dev->busy)
        return SHEP_E_BUSY;
    dev->fed = realloc(dev->fed, dev->fed_len + len + 1);
    memcpy(dev->fed + dev->fed_len, bytes, len);
    dev->fed_len += len;
    dev->fed[dev->fed_len] = 0;
    return 0;
}

static int host_device_reading(struct shep_ctx *ctx, struct shep_device *dev,
                               const struct shep_reading *reading)
{
    return host_of(ctx)->host.emit(ctx, reading);
}

static int host_device_event(struct shep_ctx *ctx, struct shep_device *dev,
                             const struct shep_event *event)
{
    return host_of(ctx)->host.event(ctx, event);
}

static int host_device_link(struct shep_ctx *ctx, struct shep_device *dev, int up, const char *why)
{
    host_of(ctx);
    assert_true(dev->attached);
    assert_true(up ? !why : why && *why);
    if (dev->link != up || strcmp(dev->why, why ? why : ""))
        dev->link_changes++;
    dev->link = up;
    copy_text(dev->why, sizeof dev->why, why);
    return 0;
}

static const char *device_opt(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                              uint32_t type)
{
    const struct shep_source_ops *ops = host_of(ctx)->plugin->ops;
    return opt_value(dev->opts, dev->n_opts, ops->device_options, name, type);
}

static int host_device_opt_str(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               const char **out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_STRING);
    if (!value)
        return SHEP_E_GONE;
    *out = value;
    return 0;
}

static int host_device_opt_int(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                               int64_t *out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_INT);
    if (!value)
        return SHEP_E_GONE;
    *out = strtoll(value, NULL, 10);
    return 0;
}

static int host_device_opt_float(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                                 double *out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_FLOAT);
    if (!value)
        return SHEP_E_GONE;
    *out = strtod(value, NULL);
    return 0;
}

static int host_device_opt_bool(struct shep_ctx *ctx, struct shep_device *dev, const char *name,
                                int *out)
{
    const char *value = device_opt(ctx, dev, name, SHEP_OPT_BOOL);
    if (!value)
        return SHEP_E_GONE;
    *out = !strcmp(value, "true");
    return 0;
}

static const char *host_device_name(struct shep_ctx *ctx, struct shep_device *dev)
{
    host_of(ctx);
    return dev->name;
}

static int host_device_found(struct shep_ctx *ctx, const struct shep_found *found)
{
    struct fake *fake = host_of(ctx);
    fake->found_calls++;
    struct fake_found *at = (struct fake_found *)fake_found(fake, found->key);
    if (!at) {
        assert_true(fake->n_found < MAX_FOUND);
        at = &fake->found[fake->n_found++];
    }
    copy_text(at->key, sizeof at->key, found->key);
    copy_text(at->path, sizeof at->path, found->path);
    copy_text(at->port_path, sizeof at->port_path, found->port_path);
    copy_text(at->description, sizeof at->description, found->description);
    copy_text(at->serial, sizeof at->serial, found->serial);
    copy_text(at->vendor_id, sizeof at->vendor_id, found->vendor_id);
    copy_text(at->product_id, sizeof at->product_id, found->product_id);
    copy_text(at->mac, sizeof at->mac, found->mac);
    copy_text(at->hub, sizeof at->hub, found->hub);
    at->flags = found->flags;
    return 0;
}

static int host_device_lost(struct shep_ctx *ctx, const char *key)
{
    struct fake *fake = host_of(ctx);
    struct fake_found *at = (struct fake_found *)fake_found(fake, key);
    assert_non_null(at);
    fake->lost_calls++;
    *at = fake->found[--fake->n_found];
    return 0;
}

void device_fill(struct shep_host *host)
{
    host->feed = host_feed;
    host->device_reading = host_device_reading;
    host->device_event = host_device_event;
    host->device_link = host_device_link;
    host->device_opt_str = host_device_opt_str;
    host->device_opt_int = host_device_opt_int;
    host->device_opt_float = host_device_opt_float;
    host->device_opt_bool = host_device_opt_bool;
    host->device_name = host_device_name;
    host->device_found = host_device_found;
    host->device_lost = host_device_lost;
}

void devices_detach(struct fake *fake)
{
    for (size_t i = 0; i < fake->n_devices; i++)
        if (fake->devices[i]->attached)
            fake_detach(fake, fake->devices[i]);
}

void devices_free(struct fake *fake)
{
    for (size_t i = 0; i < fake->n_devices; i++) {
        free(fake->devices[i]->fed);
        free(fake->devices[i]);
    }
}

/* ---- the test's side ---- */

struct shep_device *fake_device(struct fake *fake, const char *name)
{
    assert_true(fake->n_devices < MAX_DEVICES);
    struct shep_device *dev = calloc(1, sizeof *dev);
    dev->fake = fake;
    dev->link = -1;
    copy_text(dev->name, sizeof dev->name, name);
    fake->devices[fake->n_devices++] = dev;
    return dev;
}

void fake_device_opt(struct shep_device *dev, const char *name, const char *value)
{
    opt_put(dev->opts, &dev->n_opts, name, value);
}

int fake_attach(struct fake *fake, struct shep_device *dev)
{
    const struct shep_source_ops *ops = fake->plugin->ops;
    dev->attached = true;
    return ops->attach(fake->self, dev);
}

void fake_detach(struct fake *fake, struct shep_device *dev)
{
    const struct shep_source_ops *ops = fake->plugin->ops;
    ops->detach(fake->self, dev);
    dev->attached = false;
}

int fake_link(const struct shep_device *dev)
{
    return dev->link;
}

const char *fake_link_why(const struct shep_device *dev)
{
    return dev->why;
}

size_t fake_link_changes(const struct shep_device *dev)
{
    return dev->link_changes;
}

const char *fake_fed(const struct shep_device *dev, size_t *len_out)
{
    if (len_out)
        *len_out = dev->fed_len;
    return dev->fed ? dev->fed : "";
}

void fake_fed_clear(struct shep_device *dev)
{
    free(dev->fed);
    dev->fed = NULL;
    dev->fed_len = 0;
}

void fake_feed_busy(struct shep_device *dev, bool busy)
{
    dev->busy = busy;
}

size_t fake_found_count(const struct fake *fake)
{
    return fake->n_found;
}

const struct fake_found *fake_found(const struct fake *fake, const char *key)
{
    for (size_t i = 0; i < fake->n_found; i++)
        if (!strcmp(fake->found[i].key, key))
            return &fake->found[i];
    return NULL;
}

size_t fake_found_calls(const struct fake *fake)
{
    return fake->found_calls;
}

size_t fake_lost_calls(const struct fake *fake)
{
    return fake->lost_calls;
}

/* What is remembered of each view: whether it is blocked, what is wrong with it, and the sources of
 * the code that worked last, so that a careless edit does not take a page away. Sources are shared
 * by the views that use them (the library, the layout) and bounded in all; nothing is kept on disk.
 */
#include "script/internal.h"

/* ---- sources ---- */

struct good_source *good_source_get(struct memory *memory, const char *name, const char *path,
                                    const char *text, size_t len)
{
    uint64_t hash = hash_bytes(hash_bytes(HASH_START, text, len), name, strlen(name));
    struct good_source *source;
    LIST_FOREACH(source, &memory->sources, link)
    {
        if (source->hash == hash && source->len == len && strcmp(source->name, name) == 0 &&
            memcmp(source->text, text, len) == 0) {
            source->refs++;
            return source;
        }
    }
    source = shep_alloc(sizeof *source);
    source->name = shep_strdup(name);
    source->path = shep_strdup(path);
    source->text = shep_strndup(text, len);
    source->len = len;
    source->hash = hash;
    source->refs = 1;
    memory->bytes += len;
    LIST_INSERT_HEAD(&memory->sources, source, link);
    return source;
}

void good_source_put(struct memory *memory, struct good_source *source)
{
    if (--source->refs)
        return;
    LIST_REMOVE(source, link);
    memory->bytes -= source->len;
    free(source->name);
    free(source->path);
    free(source->text);
    free(source);
}

void good_forget(struct memory *memory, struct view *view)
{
    struct good *good = &view->good;
    for (size_t i = 0; i < good->n; i++)
        good_source_put(memory, good->sources[i]);
    deps_clear(&good->deps);
    *good = (struct good){0};
}

static void make_room(struct memory *memory, const struct view *keep)
{
    while (memory->bytes > SCRIPT_GOOD_BYTES) {
        struct view *view, *oldest = NULL;
        LIST_FOREACH(view, &memory->views, link)
        {
            if (view->good.n && view != keep && (!oldest || view->used_at < oldest->used_at))
                oldest = view;
        }
        if (!oldest)
            return;
        good_forget(memory, oldest);
    }
}

void good_set(struct memory *memory, struct view *view, struct good_source **sources, size_t *n,
              uint64_t hash, const struct deps *deps)
{
    size_t bytes = 0;
    for (size_t i = 0; i < *n; i++)
        bytes += sources[i]->len;
    good_forget(memory, view);
    if (bytes > SCRIPT_GOOD_VIEW_BYTES)
        return; /* the caller gives the sources back */
    struct good *good = &view->good;
    memcpy(good->sources, sources, *n * sizeof *sources);
    good->n = *n;
    good->hash = hash;
    *n = 0;
    deps_add_all(&good->deps, deps->items, deps->n);
    make_room(memory, view);
}

void good_settle(struct view *view, const struct deps *deps)
{
    struct deps *old = &view->good.deps;
    size_t i = 0;
    while (i < old->n && old->items[i].mtime_ns >= 0)
        i++;
    if (i == old->n)
        return;
    deps_clear(old);
    deps_add_all(old, deps->items, deps->n);
}

/* ---- views ---- */

static void view_free(struct memory *memory, struct view *view)
{
    LIST_REMOVE(view, link);
    memory->n_views--;
    good_forget(memory, view);
    deps_clear(&view->blocked);
    free(view->problem);
    free(view->name);
    free(view);
}

static void drop_oldest(struct memory *memory)
{
    struct view *view, *oldest = NULL;
    LIST_FOREACH(view, &memory->views, link)
    {
        if (!view->n_running && !view->n_waiting && (!oldest || view->used_at < oldest->used_at))
            oldest = view;
    }
    if (oldest)
        view_free(memory, oldest);
}

struct view *memory_view(struct memory *memory, const char *name)
{
    struct view *view;
    LIST_FOREACH(view, &memory->views, link)
    {
        if (strcmp(view->name, name) == 0)
            break;
    }
    if (!view) {
        if (memory->n_views >= SCRIPT_VIEWS_MAX)
            drop_oldest(memory);
        view = shep_alloc(sizeof *view);
        view->name = shep_strdup(name);
        memory->n_views++;
        LIST_INSERT_HEAD(&memory->views, view, link);
    }
    view->used_at = ++memory->clock;
    return view;
}

void memory_clear(struct memory *memory)
{
    struct view *view;
    while ((view = LIST_FIRST(&memory->views)))
        view_free(memory, view);
}

/* A file that was young when it was looked at was recorded as never the same. By now its time
 * counts, if it is from before the render: then it is what the render read. */
static struct file_id settle(const struct script_dep *dep, int64_t begun_ms)
{
    enum { KERNEL_TICK_MS = 10 };
    struct file_id then = {dep->mtime_ns, dep->size, dep->inode};
    struct file_id now = file_id_of(dep->path);
    bool same = then.mtime_ns < 0 && now.size == then.size && now.inode == then.inode &&
                now.mtime_ns / 1000000 < begun_ms - KERNEL_TICK_MS;
    return same ? now : then;
}

void view_block(struct view *view, const struct deps *deps, int64_t begun_ms)
{
    deps_clear(&view->blocked);
    for (size_t i = 0; i < deps->n; i++) {
        struct file_id id = settle(&deps->items[i], begun_ms);
        deps_add(&view->blocked, deps->items[i].path, &id);
    }
}

bool view_is_blocked(struct view *view)
{
    if (!view->blocked.n)
        return false;
    if (script_deps_fresh(view->blocked.items, view->blocked.n))
        return true;
    deps_clear(&view->blocked);
    view->strikes = 0;
    view->shipped_is_bad = false;
    return false;
}

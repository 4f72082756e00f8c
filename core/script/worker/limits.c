/* What one script may use: memory by the allocator, processor and wall time by the count hook.
 *
 * Measured on Lua 5.4: a hook that only raises is swallowed by `while true do pcall(f) end`, so
 * once tripped it sets itself to every instruction. One long C function (pattern matching above
 * all) cannot be interrupted here: the daemon kills the process. Message handlers and finalizers
 * run with hooks off, so scripts get neither (sandbox.c), and our own handler calls nothing of
 * theirs.
 */
#include "script/worker/worker.h"

#include "util/clock.h"

static void *limited_alloc(void *ud, void *old, size_t old_size, size_t new_size)
{
    struct limits *limits = ud;
    size_t had = old ? old_size : 0;
    if (new_size == 0) {
        limits->mem_used -= had;
        free(old);
        return NULL;
    }
    if (new_size > had && limits->mem_used - had + new_size > limits->mem_max)
        return NULL;
    void *mem = realloc(old, new_size);
    if (mem)
        limits->mem_used += new_size - had;
    return mem;
}

static struct limits *limits_of(lua_State *L)
{
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

struct blame {
    struct where view; /* the innermost line of a view */
    struct where at;   /* the innermost line of any file */
};

static bool is_library(const struct where *where)
{
    return strncmp(where->file, "lua/", 4) == 0;
}

/* The innermost line of a view is what its author wants to see, not that of the library function
 * that he called wrongly, nor of a text that he gave to load(). Only reads. */
static void find_blame(lua_State *L, struct blame *blame)
{
    enum { LEVELS_MAX = 64 };
    lua_Debug ar;
    *blame = (struct blame){0};
    for (int level = 0; level < LEVELS_MAX && lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sl", &ar) || ar.currentline <= 0 || ar.source[0] != '@')
            continue;
        struct where *where = blame->at.line ? &blame->view : &blame->at;
        snprintf(where->file, sizeof where->file, "%s", ar.source + 1);
        where->line = ar.currentline;
        if (!is_library(where)) {
            blame->view = *where;
            return;
        }
    }
    blame->view = blame->at; /* no view is involved */
}

static void trip(lua_State *L, struct limits *limits, const char *why)
{
    snprintf(limits->tripped, sizeof limits->tripped, "%s", why);
    struct blame blame;
    find_blame(L, &blame);
    limits->tripped_at = blame.view;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct limits *limits = limits_of(L);
    if (!limits->tripped[0]) {
        if (clock_thread_cpu_us() > limits->cpu_end_us)
            trip(L, limits, "used up its processor time: is there an endless loop?");
        else if (clock_mono_ms() > limits->wall_end_ms)
            trip(L, limits, "took too long");
        else
            return;
    }
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    lua_pushstring(L, limits->tripped);
    lua_error(L);
}

void limits_begin(struct limits *limits, int64_t cpu_ms, int64_t wall_end_ms)
{
    *limits = (struct limits){
        .mem_max = LIMIT_MEMORY,
        .cpu_end_us = clock_thread_cpu_us() + cpu_ms * 1000,
        .wall_end_ms = wall_end_ms,
    };
}

_Noreturn void limits_raise(lua_State *L, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    lua_pushvfstring(L, fmt, args);
    va_end(args);
    lua_error(L);
    abort(); /* lua_error() never returns, but does not say so */
}

static int on_panic(lua_State *L)
{
    fprintf(stderr, "shepherd-script: Lua error outside of a call: %s\n",
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no text");
    return 0; /* Lua aborts; the daemon starts another process */
}

lua_State *limits_new_state(struct limits *limits, void *extra)
{
    lua_State *L = lua_newstate(limited_alloc, limits);
    if (!L)
        return NULL;
    lua_atpanic(L, on_panic);
    *(void **)lua_getextraspace(L) = extra;
    lua_sethook(L, on_count, LUA_MASKCOUNT, LIMIT_HOOK_STEPS);
    lua_gc(L, LUA_GCINC, 400, 0, 0); /* renders are short: few collections */
    return L;
}

/* A name over 59 bytes was cut by Lua to "...end": then only the line is taken. */
const char *limits_split(const char *message, struct where *where)
{
    const char *end = strstr(message, ": ");
    const char *colon = end ? memrchr(message, ':', (size_t)(end - message)) : NULL;
    if (!colon || colon == message || colon[1] == '\0')
        return message;
    for (const char *p = colon + 1; p < end; p++)
        if (*p < '0' || *p > '9')
            return message;
    where->line = atoi(colon + 1);
    if (strncmp(message, "...", 3) != 0)
        str_copy(where->file, sizeof where->file, message, (size_t)(colon - message));
    return end + 2;
}

/* The message handler; calls nothing of the script's, because it may run with hooks off. */
static int on_error(lua_State *L)
{
    find_blame(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

static bool where_eq(const struct where *a, const struct where *b)
{
    return a->line == b->line && strcmp(a->file, b->file) == 0;
}

/* A text error: the place that it names itself goes first, but an error raised within the library
 * is shown at the line of the view that called it. */
static void describe_text(const char *text, const struct blame *blame, char *message, size_t cap,
                          struct where *where)
{
    struct where named = {0};
    const char *rest = limits_split(text, &named);
    *where = blame->view;
    if (named.line && is_library(&named) && where_eq(&named, &blame->at)) {
        snprintf(message, cap, "%s (%s:%d)", rest, named.file, named.line);
        return;
    }
    snprintf(message, cap, "%s", rest);
    if (named.line)
        where->line = named.line;
    if (named.file[0])
        snprintf(where->file, sizeof where->file, "%s", named.file);
}

static void describe(lua_State *L, int rc, const struct limits *limits, const struct blame *blame,
                     char *message, size_t cap, struct where *where)
{
    if (limits->tripped[0]) {
        snprintf(message, cap, "%s", limits->tripped);
        *where = limits->tripped_at;
    } else if (rc == LUA_ERRMEM) { /* no handler ran */
        snprintf(message, cap, "needs more than %d MiB of memory", LIMIT_MEMORY >> 20);
        *where = (struct where){0};
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        describe_text(lua_tostring(L, -1), blame, message, cap, where);
    } else {
        snprintf(message, cap, "raised an error that is a %s, not a text", luaL_typename(L, -1));
        *where = blame->view;
    }
}

int limits_call(lua_State *L, struct limits *limits, int n_args, int n_results, char *message,
                size_t cap, struct where *where)
{
    int base = lua_gettop(L) - n_args;
    struct blame blame = {0};
    lua_pushlightuserdata(L, &blame);
    lua_pushcclosure(L, on_error, 1);
    lua_insert(L, base);
    int rc = lua_pcall(L, n_args, n_results, base);
    lua_remove(L, base);
    /* A script that caught the hook's error and ended has still used up what it had. */
    if (rc == LUA_OK && limits->tripped[0])
        rc = LUA_ERRRUN;
    if (rc != LUA_OK)
        describe(L, rc, limits, &blame, message, cap, where);
    return rc;
}

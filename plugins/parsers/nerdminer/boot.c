/* From the reset to the first statistics line: ROM text, panics, the banner, which board and chip.
 * A reset ends what belongs to a boot (counters of ours, what was said already, links), nothing
 * else: readings stay, with their ages. */
#include "nerdminer.h"
#include "number.h"

#include <ctype.h>
#include <stdio.h>

enum { REASON_MAX = 100 };

/* Three resets within a minute: told once, until a reset comes that is not within the minute. */
static void watch_for_loop(struct nm *nm)
{
    int64_t oldest;

    nm->reset_ms[nm->resets % NM_LOOP_RESETS] = nm->at_ms;
    nm->resets++;
    oldest = nm->reset_ms[nm->resets % NM_LOOP_RESETS];
    bool loop =
        nm->resets >= NM_LOOP_RESETS && nm->at_ms >= oldest && nm->at_ms - oldest <= NM_LOOP_MS;
    if (loop && !nm->looping) {
        nm_event(nm, SHEP_EV_BOOT_LOOP, NM_LOOP_RESETS, NULL, 0);
    }
    nm->looping = loop;
}

static void reset(struct nm *nm, const char *reason, size_t len)
{
    nm->booting = true;
    nm->crashed = nm->setup = nm->bootloader = false;
    nm->have_hashes = nm->have_valids = nm->have_difficulty = nm->block_told = false;
    nm->wifi = nm->pool = NM_LINK_UNKNOWN;
    nm->accepted = nm->rejected = 0;
    nm_forget_submits(nm);
    nm_forget_config(nm);
    for (size_t i = 0; i < NM_ATTRS; i++) {
        nm->attrs[i].said = false;
    }
    nm_event(nm, SHEP_EV_RESET, 0, reason, len);
    watch_for_loop(nm);
    nm->state = NM_STATE_UNKNOWN; /* said again, as every attribute is once per boot */
    nm_set_state(nm, NM_STATE_BOOTING);
    if (nm->looping) {
        nm_set_trouble(nm, NM_TROUBLE_BOOT, "it restarts again and again (%d times in %d s)",
                       NM_LOOP_RESETS, NM_LOOP_MS / 1000);
    }
}

void nm_running(struct nm *nm)
{
    if (nm->booting) {
        nm->booting = nm->rom_reset = false;
        nm_event(nm, SHEP_EV_RUNNING, 0, NULL, 0);
    }
    nm->crashed = false;
    nm_trouble_over(nm, NM_TROUBLE_BOOT);
}

/* ---- reset ---- */

struct cause {
    const char *part, *words, *trouble;
};

/* By a part of the ROM's names (ESP32, S2, S3, C3: firmware.md 1.6). */
static const struct cause causes[] = {
    {"POWERON", "power on", NULL},
    {"BROWN", "the supply voltage dipped",
     "the supply voltage dipped (brownout): try another "
     "cable or power supply"},
    {"WDT", "watchdog", "the watchdog restarted it"},
    {"USB", "reset over USB", NULL},
    {"DEEPSLEEP", "woke up", NULL},
    {"SW", "restarted by its software", NULL},
    {"EXT", "reset button", NULL},
    {"PANIC", "crash", NULL},
};

static void reset_because(struct nm *nm, struct span name)
{
    char text[REASON_MAX + 64];
    const struct cause *cause = NULL;
    bool crashed = nm->crashed;

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]) && cause == NULL; i++) {
        if (span_find(name, causes[i].part, strlen(causes[i].part)) != NULL) {
            cause = &causes[i];
        }
    }
    name = span_clip(name, REASON_MAX);
    int n = cause != NULL ? snprintf(text, sizeof(text), "%s (%.*s)", cause->words,
                                     (int)span_len(name), name.at)
                          : snprintf(text, sizeof(text), "%.*s", (int)span_len(name), name.at);
    reset(nm, text, n > 0 ? (size_t)n : 0);
    if (cause != NULL && cause->trouble != NULL && !crashed && !nm->looping) {
        nm_set_trouble(nm, NM_TROUBLE_BOOT, "%s", cause->trouble);
    }
    nm->rom_reset = true;
}

/* Behind the reason: ",boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))" */
static void take_boot_mode(struct nm *nm, struct span *s)
{
    struct span t = *s;

    if (span_lit(&t, ",boot:0x")) {
        (void)span_until(&t, ' ');
        if (span_lit(&t, " (")) {
            (void)(span_lit(&t, "DOWNLOAD_BOOT") || span_lit(&t, "DOWNLOAD"));
            (void)span_until(&t, ')');
        }
        *s = t;
    }
}

/* "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)" */
enum nm_read nm_read_rst(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span t = *rest;
    struct span name = span_of("reason not told");

    while (t.at < t.end && is_hex(*t.at)) {
        t.at++;
    }
    if (span_lit(&t, " (")) {
        name = span_until(&t, ')');
        (void)span_lit(&t, ")");
    }
    reset_because(nm, name);
    take_boot_mode(nm, &t);
    *rest = t;
    return NM_KNOWN;
}

/* "e0x1 (POWERON_RESET),boot:0x13 …": the same line without its head (captures garbage-01). */
enum nm_read nm_read_rst_cut(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    const char *open = hit->marker;

    while (open > hit->line && hit->marker - open < NM_LOOK_BEHIND && open[-1] != '(' &&
           open[-1] != ' ') {
        open--;
    }
    reset_because(nm, (struct span){open, hit->marker});
    (void)span_until(rest, ')');
    return NM_KNOWN;
}

/* A log may have named the chip more closely ("ESP32-D0WD-V3"); that stays. */
static void say_classic_chip(struct nm *nm)
{
    if (nm->attrs[SHEP_A_CHIP - SHEP_ATTR_FIRST].len <= strlen("ESP32")) {
        nm_words(nm, SHEP_A_CHIP, "ESP32");
    }
}

/* "ets Jul 29 2019 12:21:46": the first line of a classic ESP32's ROM. */
enum nm_read nm_read_rom(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    if (!nm->crashed) {
        nm_set_state(nm, NM_STATE_BOOTING);
    }
    say_classic_chip(nm);
    return NM_KNOWN;
}

/* "ESP-ROM:esp32s3-20210327": newer chips. */
enum nm_read nm_read_esp_rom(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    char chip[16] = "ESP32-";
    size_t n = 6;

    if (!nm->crashed) {
        nm_set_state(nm, NM_STATE_BOOTING);
    }
    if (!span_lit(rest, "esp32")) {
        return NM_KNOWN;
    }
    while (rest->at < rest->end && isalnum((unsigned char)*rest->at) && n < sizeof(chip)) {
        chip[n++] = (char)toupper((unsigned char)*rest->at++);
    }
    nm_text(nm, SHEP_A_CHIP, chip, n > 6 ? n : 5);
    return NM_KNOWN;
}

/* "waiting for download": GPIO0 was low at the reset. */
enum nm_read nm_read_bootloader(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    nm_set_state(nm, NM_STATE_BOOTLOADER);
    nm_set_trouble(nm, NM_TROUBLE_BOOT, "it waits in its boot loader and does not mine: reset it");
    if (!nm->bootloader) {
        nm->bootloader = true;
        nm_event(nm, SHEP_EV_BOOTLOADER, 0, NULL, 0);
    }
    return NM_KNOWN;
}

/* "invalid header: 0xffffffff": erased flash (captures v183-04). */
enum nm_read nm_read_no_firmware(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    while (rest->at < rest->end && is_hex(*rest->at)) {
        rest->at++;
    }
    nm_set_state(nm, NM_STATE_NO_FIRMWARE);
    nm_set_trouble(nm, NM_TROUBLE_BOOT, "no firmware in its flash: flash it again");
    return NM_KNOWN;
}

/* ---- crash ---- */

static void crash(struct nm *nm, struct span reason)
{
    bool first = !nm->crashed;

    reason = span_clip(span_trim(reason), REASON_MAX);
    nm->crashed = nm->booting = true;
    nm_set_state(nm, NM_STATE_CRASHED);
    nm_set_trouble(nm, NM_TROUBLE_BOOT, "crashed: %.*s", (int)span_len(reason), reason.at);
    if (first) {
        nm_event(nm, SHEP_EV_PANIC, 0, reason.at, span_len(reason));
    }
}

/* "Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled." */
static void read_guru(struct nm *nm, struct span *rest)
{
    struct span t = *rest;

    (void)span_until(&t, '(');
    if (span_lit(&t, "(")) {
        struct span reason = span_until(&t, ')');

        crash(nm, reason);
        *rest = t;
    } else {
        crash(nm, span_of("reason not told"));
    }
}

/* What ESP-IDF prints when it gives up; the first of several lines is the event. */
enum nm_read nm_read_panic(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span whole = {hit->marker, rest->end};

    switch (hit->arg) {
    case NM_PANIC_GURU:
        read_guru(nm, rest);
        return NM_KNOWN;
    case NM_PANIC_DETAIL: /* "Debug exception reason: Stack canary watchpoint triggered (Monitor)"
                           */
        crash(nm, *rest);
        break;
    case NM_PANIC_ASSERT: /* "assert failed: xQueueSemaphoreTake queue.c:1554 (pxQueue)" */
    case NM_PANIC_STACK:  /* "A stack overflow in task Monitor has been detected." */
        crash(nm, whole);
        break;
    case NM_PANIC_ABORT: /* often behind one of the others, which said more */
        if (!nm->crashed) {
            crash(nm, span_of("abort"));
        }
        break;
    case NM_PANIC_TASK_WDT:
        crash(nm, span_of("task watchdog"));
        break;
    case NM_PANIC_BROWNOUT:
        crash(nm, span_of("brownout (supply voltage dipped)"));
        break;
    default:
        break;
    }
    rest->at = rest->end;
    return NM_KNOWN;
}

/* ---- the firmware starts ---- */

/* "NerdMiner v2 starting......". Boards with native USB lose the ROM's text: the banner itself
 * tells the reset there.   NM2 NerdMinerV2.ino.cpp:109 */
enum nm_read nm_read_banner(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    if (!nm->rom_reset) {
        reset(nm, "reason not told", 15);
    }
    nm->rom_reset = false;
    nm_set_state(nm, NM_STATE_BOOTING);
    if (hit->arg == 1) { /* "NerdMiner v2 UDP ENABLED......"   WEIS NerdMinerV2.ino.cpp:109 */
        nm->fork = "WeisTekEng";
        nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    }
    nm_say_firmware(nm);
    return NM_KNOWN;
}

/* "DEBUG: Raw flash data: '…'": up to 128 bytes of whatever lies there.   NM2 wManager.cpp:56 */
enum nm_read nm_read_raw_flash(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    rest->at = rest->end;
    return NM_KNOWN;
}

/* "[BOOT] reset_reason=1 (POWERON) heap_free=…", before the banner.
 * AXEHUB src/NerdMinerV2.ino.cpp:106 */
enum nm_read nm_read_boot_reason(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span t = *rest;
    uint64_t heap;

    (void)span_until(&t, '(');
    if (span_lit(&t, "(")) {
        struct span name = span_until(&t, ')');

        if (!nm->rom_reset) {
            reset_because(nm, name);
        }
        if (span_lit(&t, ") heap_free=") && number_take_uint(&t, &heap)) {
            nm_metric(nm, SHEP_M_FREE_HEAP, (double)heap);
        }
        *rest = t;
    }
    nm->fork = "AxeHub";
    nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    return NM_KNOWN;
}

/* "No display driver initialized", "OLED 0.42 display driver initialized" …: what stands before
 * " driver initialized" names the board as well as the log can.
 * NM2 noDisplayDriver.cpp:14, ledDisplayDriver.cpp:29, oled042DisplayDriver.cpp:68,
 * m5stackDisplayDriver.cpp:19, ssd1306DisplayDriver.cpp:27, wt32DisplayDriver.cpp:247;
 * WEACT oled096DisplayDriver.cpp:34; WEIS m5stackCore2DisplayDriver.cpp:22 */
enum nm_read nm_read_board(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    const char *start = hit->marker;

    while (start > hit->line && hit->marker - start < NM_LOOK_BEHIND &&
           (isalnum((unsigned char)start[-1]) || strchr(" ._-", start[-1]) != NULL)) {
        start--;
    }
    struct span board = span_trim((struct span){start, hit->marker + strlen(" display")});
    if (span_len(board) > strlen("display")) {
        nm_text(nm, SHEP_A_BOARD, board.at, span_len(board));
    }
    return NM_KNOWN;
}

/* "Chip: ESP32-D0WD-V3"   NM2 esp23_2432s028r.cpp:38; arg 1: "Started minerWorkerHwEsp32D", which
 * is built for the classic ESP32 only (NM2 mining.cpp:1035) */
enum nm_read nm_read_chip(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    if (hit->arg == 1) {
        say_classic_chip(nm);
        return NM_KNOWN;
    }
    struct span chip = span_until(rest, ' ');

    if (span_len(chip) < 5 || memcmp(chip.at, "ESP", 3) != 0) {
        return NM_NO;
    }
    chip = span_clip(chip, 32);
    nm_text(nm, SHEP_A_CHIP, chip.at, span_len(chip));
    return NM_KNOWN;
}

enum nm_read nm_read_own(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    nm_say_firmware(nm);
    return NM_KNOWN;
}

/* Lines that only one fork prints. */
enum nm_read nm_read_fork(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    static const char *const names[] = {
        [NM_FORK_AXEHUB] = "AxeHub",
        [NM_FORK_WEIS] = "WeisTekEng",
        [NM_FORK_MODDED] = "NerdMiner-Modded",
    };

    nm->fork = names[hit->arg];
    nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    return NM_KNOWN;
}

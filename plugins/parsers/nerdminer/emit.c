/* What the parser says to the core: readings, events, the attributes `state` and `error`.
 * Attributes are said once per boot and on change, since a NerdMiner repeats its worker with every
 * share. */
#include "nerdminer.h"

#include <stdarg.h>
#include <stdio.h>

void nm_metric(struct nm *nm, uint32_t metric, double value)
{
    struct shep_reading reading = {.size = sizeof(reading), .metric = metric, .value = value};

    nm->host->emit(nm->ctx, &reading);
}

void nm_text(struct nm *nm, uint32_t attr, const char *text, size_t len)
{
    struct nm_attr *last = &nm->attrs[attr - SHEP_ATTR_FIRST];

    if (len > sizeof(last->text)) {
        len = sizeof(last->text);
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--; /* not through the middle of a UTF-8 character */
        }
    }
    if (last->said && last->len == len && memcmp(last->text, text, len) == 0) {
        return;
    }
    last->said = true;
    last->len = len;
    memcpy(last->text, text, len);
    struct shep_reading reading = {
        .size = sizeof(reading), .metric = attr, .text = last->text, .text_len = len};
    nm->host->emit(nm->ctx, &reading);
}

void nm_words(struct nm *nm, uint32_t attr, const char *text)
{
    nm_text(nm, attr, text, strlen(text));
}

void nm_event(struct nm *nm, uint32_t event, double value, const char *text, size_t len)
{
    struct shep_event e = {
        .size = sizeof(e), .event = event, .value = value, .text = text, .text_len = len};

    nm->host->event(nm->ctx, &e);
}

void nm_set_state(struct nm *nm, enum nm_state state)
{
    static const char *const names[] = {
        [NM_STATE_BOOTING] = "booting",       [NM_STATE_CRASHED] = "crashed",
        [NM_STATE_BOOTLOADER] = "bootloader", [NM_STATE_NO_FIRMWARE] = "no firmware",
        [NM_STATE_BOOT_LOOP] = "boot loop",   [NM_STATE_WIFI_SETUP] = "wifi setup",
        [NM_STATE_NO_WIFI] = "no wifi",       [NM_STATE_CONNECTING] = "connecting",
        [NM_STATE_NO_POOL] = "no pool",       [NM_STATE_WAITING] = "waiting for work",
        [NM_STATE_MINING] = "mining",
    };

    if (state == NM_STATE_BOOTING && nm->looping) {
        state = NM_STATE_BOOT_LOOP;
    }
    if (state != nm->state) {
        nm->state = state;
        nm_words(nm, SHEP_A_STATE, names[state]);
    }
}

void nm_set_trouble(struct nm *nm, enum nm_trouble trouble, const char *fmt, ...)
{
    char text[SHEP_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n > 0) {
        nm->trouble = trouble;
        nm_text(nm, SHEP_A_ERROR, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    }
}

void nm_trouble_over(struct nm *nm, enum nm_trouble trouble)
{
    if (nm->trouble == trouble && trouble != NM_FINE) {
        nm->trouble = NM_FINE;
        nm_text(nm, SHEP_A_ERROR, "", 0);
    }
}

void nm_say_firmware(struct nm *nm)
{
    if (!nm->attrs[SHEP_A_FIRMWARE - SHEP_ATTR_FIRST].said) {
        nm_words(nm, SHEP_A_FIRMWARE, nm->fork != NULL ? nm->fork : "NerdMiner_v2");
    }
}

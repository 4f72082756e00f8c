// sources: core/script/page.c core/script/route.c core/script/proto/*.c core/util/*.c
// link: PkgConfig::JANSSON
// options: -max_len=4096

/* Any bytes as what a script process answers. It runs code that people write, so the daemon
 * believes nothing: a page that comes out of this has parts within its body, in order, and headers
 * without line ends. */
#include "script/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const struct script_page *page)
{
    uint64_t end = 0;
    if (page->status < 200 || page->status > 599 || page->body[page->body_len] != '\0')
        abort();
    for (size_t i = 0; i < page->n_parts; i++) {
        if (page->parts[i].offset < end)
            abort();
        end = (uint64_t)page->parts[i].offset + page->parts[i].len;
    }
    if (end > page->body_len)
        abort();
    const char *headers[] = {page->content_type, page->location, page->etag};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        if (headers[i] && strpbrk(headers[i], "\r\n"))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    struct done done;
    size_t used;
    const char *bytes = (const char *)data;
    if (frame_next(bytes, size, PROTO_FROM_WORKER_MAX, &frame, &used) == 1 && used > size)
        abort();
    frame = (struct frame){FRAME_DONE, bytes, size};
    if (!page_decode(&frame, &done))
        return 0;
    if (done.topics >> TOPIC_COUNT || done.n_params > PROTO_PARAMS_MAX)
        abort();
    if (done.outcome == DONE_PAGE)
        check_page(done.page);
    done_clear(&done);
    return 0;
}

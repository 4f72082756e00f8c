/* Messages from the writer to the loop. At most one is posted at a time; what comes meanwhile is
 * added to it. The mailbox outlives the store by the one post that may still be under way. */
#include "store/internal.h"

#include "util/clock.h"

#include <sys/queue.h>

struct mailbox {
    pthread_mutex_t lock;
    struct store *store; /* NULL once closed; loop */
    struct loop *loop;
    bool posted;
    uint32_t bits;
    struct get *gets, **gets_last;
    struct state_note *notes, **notes_last;
    LIST_ENTRY(mailbox) link;
};

/* Closed while a post was under way. Loop thread. A loop that ends first never calls it; then it
 * stays here, which is once in a process that ends. */
static LIST_HEAD(, mailbox) orphans = LIST_HEAD_INITIALIZER(orphans);

struct mailbox *mail_new(struct store *store)
{
    struct mailbox *mail = shep_alloc(sizeof *mail);
    pthread_mutex_init(&mail->lock, NULL);
    mail->store = store;
    mail->loop = store->loop;
    mail->gets_last = &mail->gets;
    mail->notes_last = &mail->notes;
    return mail;
}

static void mail_free(struct mailbox *mail)
{
    pthread_mutex_destroy(&mail->lock);
    free(mail);
}

void get_answer(struct get *get)
{
    if (get->copy)
        copy_answer(get);
    else if (get->saved_fn)
        get->saved_fn(get->err, get->problem, get->arg);
    else
        get->fn(get->rows, get->n_rows, get->err, get->arg);
    free(get->rows);
    free(get->metric_name);
    free(get);
}

static void tell_state(struct store *store, const struct state_note *note)
{
    if (store->state_fn) {
        store->state_fn(note->degraded, note->problem, store->state_arg);
        return;
    }
    struct shep_event event = {.size = sizeof event,
                               .event = note->degraded ? SHEP_EV_STORE_DEGRADED
                                                       : SHEP_EV_STORE_RECOVERED,
                               .at_ms = clock_wall_ms(),
                               .text = note->problem,
                               .text_len = strlen(note->problem)};
    store_event(store, &event);
}

static void tell_pressure(struct store *store)
{
    pthread_mutex_lock(&store->queue.lock);
    bool behind = store->queue.behind;
    pthread_mutex_unlock(&store->queue.lock);
    if (behind == store->pressure_told)
        return;
    store->pressure_told = behind;
    if (store->pressure_fn)
        store->pressure_fn(behind, store->pressure_arg);
}

static void deliver(struct store *store, uint32_t bits, struct state_note *notes, struct get *gets)
{
    while (notes) {
        struct state_note *next = notes->next;
        if (store)
            tell_state(store, notes);
        free(notes);
        notes = next;
    }
    if (store && (bits & MAIL_PRESSURE))
        tell_pressure(store);
    if (store && store->commit_fn && (bits & (MAIL_LINES | MAIL_EVENTS)))
        store->commit_fn(bits & MAIL_LINES, bits & MAIL_EVENTS, store->commit_arg);
    while (gets) {
        struct get *next = gets->next;
        if (!store && !gets->copy && !gets->saved_fn) /* a copy that was made is there */
            gets->err = SHEP_E_GONE;
        get_answer(gets);
        gets = next;
    }
}

static void mail_take(struct mailbox *mail, struct store *store)
{
    pthread_mutex_lock(&mail->lock);
    uint32_t bits = mail->bits;
    struct get *gets = mail->gets;
    struct state_note *notes = mail->notes;
    mail->bits = 0;
    mail->gets = NULL;
    mail->gets_last = &mail->gets;
    mail->notes = NULL;
    mail->notes_last = &mail->notes;
    pthread_mutex_unlock(&mail->lock);
    deliver(store, bits, notes, gets);
}

static void on_loop(void *arg)
{
    struct mailbox *mail = arg;
    pthread_mutex_lock(&mail->lock);
    mail->posted = false;
    pthread_mutex_unlock(&mail->lock);
    if (mail->store) {
        mail_take(mail, mail->store);
        return;
    }
    LIST_REMOVE(mail, link);
    mail_free(mail);
}

/* Lock held. */
static void post(struct mailbox *mail)
{
    if (mail->posted)
        return;
    mail->posted = true;
    loop_post(mail->loop, on_loop, mail);
}

void mail_bits(struct mailbox *mail, uint32_t bits)
{
    pthread_mutex_lock(&mail->lock);
    mail->bits |= bits;
    post(mail);
    pthread_mutex_unlock(&mail->lock);
}

void mail_get(struct mailbox *mail, struct get *get)
{
    pthread_mutex_lock(&mail->lock);
    *mail->gets_last = get;
    mail->gets_last = &get->next;
    post(mail);
    pthread_mutex_unlock(&mail->lock);
}

void mail_state(struct mailbox *mail, bool degraded, const char *problem)
{
    struct state_note *note = shep_alloc(sizeof *note);
    note->degraded = degraded;
    str_copy(note->problem, sizeof note->problem, problem, strlen(problem));
    pthread_mutex_lock(&mail->lock);
    *mail->notes_last = note;
    mail->notes_last = &note->next;
    post(mail);
    pthread_mutex_unlock(&mail->lock);
}

void mail_close(struct mailbox *mail)
{
    mail->store = NULL;
    mail_take(mail, NULL);
    pthread_mutex_lock(&mail->lock);
    bool posted = mail->posted;
    pthread_mutex_unlock(&mail->lock);
    if (posted)
        LIST_INSERT_HEAD(&orphans, mail, link);
    else
        mail_free(mail);
}

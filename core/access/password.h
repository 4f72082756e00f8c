/* Passwords: argon2id, and the file DATA_DIR/admin_password, which holds one such hash. Shared by
 * the daemon and by `shepherd passwd`. Blocks (hashing: about 0.02 s on a PC, 0.15 s on a Pi 4), so
 * the daemon calls it on a worker thread. No state; any thread. */
#ifndef SHEP_ACCESS_PASSWORD_H
#define SHEP_ACCESS_PASSWORD_H

#include <stdbool.h>

enum {
    PASSWORD_MIN = 8,       /* characters; what is tried is limited, see limit.h */
    PASSWORD_MAX = 1024,    /* bytes */
    PASSWORD_HASH_MAX = 128 /* crypto_pwhash_STRBYTES */
};

/* NULL: it may be one; else what is wrong, in words for people. */
const char *password_problem(const char *password);
/* 0; SHEP_E_LIMIT: there are no 19 MiB of memory for it. */
int password_hash(const char *password, char out[static PASSWORD_HASH_MAX]);
/* hash NULL or "": nobody's; takes as long as any other. */
bool password_verify(const char *hash, const char *password);

/* 0; -ENOENT: not set; else it is there and cannot be read, or is no hash. Then out is "". */
int password_file_read(const char *data_dir, char out[static PASSWORD_HASH_MAX]);
int password_file_write(const char *data_dir, const char *hash); /* 0 or -errno */
char *password_file_path_dup(const char *data_dir);
#endif

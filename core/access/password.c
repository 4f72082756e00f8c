#include "access/password.h"

#include "shepherd/plugin.h"
#include "util/util.h"

#include <errno.h>
#include <sodium.h>

/* OWASP's figure for argon2id: 19 MiB and 2 passes. */
enum { PASSES = 2, MEMORY_BYTES = 19 << 20 };

_Static_assert((int)PASSWORD_HASH_MAX == crypto_pwhash_STRBYTES, "as libsodium says");

/* A hash of no password: zero bytes where the result would stand, with the cost of a real one. */
static const char nobodys[] = "$argon2id$v=19$m=19456,t=2,p=1$c2hlcGhlcmRzaGVwaGVyZA$"
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const char *password_problem(const char *password)
{
    size_t n_chars = 0, len = strlen(password);
    for (const char *p = password; *p; p++)
        n_chars += (*p & 0xC0) != 0x80; /* not the middle of a UTF-8 sequence */
    if (n_chars < PASSWORD_MIN)
        return "The password is too short: take at least 8 characters.";
    return len > PASSWORD_MAX ? "The password is too long: take at most 1024 bytes." : NULL;
}

int password_hash(const char *password, char out[static PASSWORD_HASH_MAX])
{
    if (sodium_init() < 0 || crypto_pwhash_str_alg(out, password, strlen(password), PASSES,
                                                   MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return SHEP_E_LIMIT;
    return 0;
}

bool password_verify(const char *hash, const char *password)
{
    bool somebodys = hash && hash[0];
    bool same =
        crypto_pwhash_str_verify(somebodys ? hash : nobodys, password, strlen(password)) == 0;
    return somebodys && same;
}

char *password_file_path_dup(const char *data_dir)
{
    return path_join_dup(data_dir, "admin_password");
}

int password_file_read(const char *data_dir, char out[static PASSWORD_HASH_MAX])
{
    char *path = password_file_path_dup(data_dir);
    char *hash = file_read_dup(path, PASSWORD_HASH_MAX, NULL);
    int err = hash ? 0 : -errno;
    out[0] = '\0';
    if (hash && strncmp(hash, "$argon2", 7) == 0)
        str_copy(out, PASSWORD_HASH_MAX, hash, strcspn(hash, "\r\n"));
    else if (hash)
        err = -EINVAL;
    free(hash);
    free(path);
    return err;
}

int password_file_write(const char *data_dir, const char *hash)
{
    char *path = password_file_path_dup(data_dir);
    int err = dir_make(data_dir, 0750);
    if (!err)
        err = file_write_atomic(path, hash, strlen(hash), 0600);
    free(path);
    return err;
}

/* Random texts for cookies and tokens, and what is kept of them: BLAKE2b hashes, so that who reads
 * the database or a backup cannot log in with it. Thread: loop. */
#include "access/internal.h"

#include <sodium.h>

void secret_make(char out[static SECRET_CHARS + 1])
{
    unsigned char bytes[HASH_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(out, SECRET_CHARS + 1, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof bytes);
}

void secret_hash(const char *secret, unsigned char out[static HASH_BYTES])
{
    crypto_generichash(out, HASH_BYTES, (const unsigned char *)secret, strlen(secret), NULL, 0);
}

void secret_hash_hex(const unsigned char hash[static HASH_BYTES], char out[static 65])
{
    sodium_bin2hex(out, 65, hash, HASH_BYTES);
}

bool secret_hash_parse(const char *hex, unsigned char out[static HASH_BYTES])
{
    size_t len = 0;
    return hex && strlen(hex) == 64 &&
           sodium_hex2bin(out, HASH_BYTES, hex, 64, NULL, &len, NULL) == 0 && len == HASH_BYTES;
}

/* Bound to its session, and nothing more to keep. */
void secret_csrf(const char *session, char out[static SECRET_CHARS + 1])
{
    static const unsigned char what[] = "shepherd csrf";
    unsigned char key[HASH_BYTES], bytes[HASH_BYTES];
    crypto_generichash(key, sizeof key, (const unsigned char *)session, strlen(session), NULL, 0);
    /* not the hash of the database: that would make the token out of what is kept */
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, sizeof key, sizeof bytes);
    crypto_generichash_update(&state, what, sizeof what);
    crypto_generichash_update(&state, (const unsigned char *)session, strlen(session));
    crypto_generichash_final(&state, bytes, sizeof bytes);
    sodium_bin2base64(out, SECRET_CHARS + 1, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(key, sizeof key);
}

bool secret_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    return strlen(b) == len && sodium_memcmp(a, b, len) == 0;
}

/* Letters and digits that nobody takes for another one. */
static const char code_alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

void setup_code_make(char out[static SETUP_CODE_CHARS + 2])
{
    char *p = out;
    for (int i = 0; i < SETUP_CODE_CHARS; i++) {
        if (i == SETUP_CODE_CHARS / 2)
            *p++ = '-';
        *p++ = code_alphabet[randombytes_uniform(sizeof code_alphabet - 1)];
    }
    *p = '\0';
}

/* As people type it: in small letters, with or without the dash, with spaces. */
bool setup_code_equal(const char *code, const char *typed)
{
    char plain[SETUP_CODE_CHARS + 1] = "", want[SETUP_CODE_CHARS + 1] = "";
    size_t n = 0, m = 0;
    for (; *typed; typed++) {
        if (*typed == '-' || *typed == ' ')
            continue;
        if (n == SETUP_CODE_CHARS)
            return false;
        bool small = *typed >= 'a' && *typed <= 'z';
        plain[n++] = (char)(small ? *typed - 'a' + 'A' : *typed);
    }
    for (; *code; code++)
        if (*code != '-')
            want[m++] = *code;
    return sodium_memcmp(plain, want, sizeof want) == 0;
}

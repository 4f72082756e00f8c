/* The file that somebody moves over with: the Python Shepherd's database, or a CSV of miners. Any
 * thread; blocks. */
#include "flock/internal.h"

#include <errno.h>

enum { CSV_BYTES_MAX = 4 << 20 /* 10,000 miners with long notes */ };

static bool is_sqlite(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof magic];
    FILE *file = fopen(path, "rbe");
    bool is = file && fread(head, 1, sizeof head, file) == sizeof head &&
              memcmp(head, magic, sizeof magic) == 0;
    if (file)
        fclose(file);
    return is;
}

static int read_csv(const char *path, json_t **plan_out, char why[FLOCK_WHY_MAX])
{
    size_t len;
    char *text = file_read_dup(path, CSV_BYTES_MAX, &len);
    if (!text) {
        int n = errno;
        snprintf(why, FLOCK_WHY_MAX, "%s",
                 n == EFBIG ? "it is too large for a CSV of miners" : strerror(n));
        return n == EFBIG || n == EISDIR || n == ESPIPE ? SHEP_E_FORMAT : SHEP_E_IO;
    }
    int err = flock_csv_plan(text, len, plan_out, why);
    free(text);
    return err;
}

int flock_old_read(const char *path, json_t **plan_out, char why[FLOCK_WHY_MAX])
{
    return is_sqlite(path) ? store_read_python(path, plan_out, why, FLOCK_WHY_MAX)
                           : read_csv(path, plan_out, why);
}

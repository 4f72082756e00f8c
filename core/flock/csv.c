/* The table of miners that the Python Shepherd exported and took: a header line
 * id,miner_id,chipset,attrs_idVendor,… and a line for each miner. It becomes the same plan as that
 * of an old database. Fields may stand in quotes, a quote within is doubled; nothing else is CSV.
 */
#include "flock/internal.h"

enum {
    CSV_MAX_BYTES = 4 << 20, /* 2,000 miners with every column full are a quarter of it */
    COLUMNS_MAX = 64,
    CELL_MAX = 512
};

struct csv {
    const char *at, *end;
    int line;
    char *columns[COLUMNS_MAX];
    size_t n_columns;
    char cell[CELL_MAX + 1];
    size_t cell_len;
    bool end_of_line;
};

static bool add_byte(struct csv *csv, char c)
{
    if (csv->cell_len == CELL_MAX || c == 0)
        return false;
    csv->cell[csv->cell_len++] = c;
    csv->line += c == '\n';
    return true;
}

static bool read_quoted(struct csv *csv)
{
    csv->at++;
    while (csv->at < csv->end) {
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"') {
                csv->at++;
                return true;
            }
            csv->at++;
        }
        if (!add_byte(csv, *csv->at++))
            return false;
    }
    return false; /* no end */
}

static bool read_plain(struct csv *csv)
{
    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r')
        if (!add_byte(csv, *csv->at++))
            return false;
    return true;
}

/* The next cell; false: it is not CSV. */
static bool read_cell(struct csv *csv)
{
    csv->cell_len = 0;
    bool good = csv->at < csv->end && *csv->at == '"' ? read_quoted(csv) : read_plain(csv);
    csv->cell[csv->cell_len] = 0;
    if (!good)
        return false;
    csv->end_of_line = csv->at == csv->end || *csv->at == '\n' || *csv->at == '\r';
    if (csv->at < csv->end && *csv->at == ',')
        csv->at++;
    else if (!csv->end_of_line)
        return false; /* bytes behind a closing quote */
    return true;
}

static void skip_line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end && *csv->at == '\n')
        csv->at++;
    csv->line++;
}

static bool read_header(struct csv *csv)
{
    bool has_name = false;
    do {
        if (csv->n_columns == COLUMNS_MAX || !read_cell(csv))
            return false;
        has_name = has_name || strcmp(csv->cell, "miner_id") == 0;
        csv->columns[csv->n_columns++] = shep_strdup(csv->cell);
    } while (!csv->end_of_line);
    skip_line_end(csv);
    return has_name;
}

/* One line as an object; NULL: why says what is wrong. An empty line is an empty object. */
static json_t *read_row(struct csv *csv, char why[FLOCK_WHY_MAX])
{
    int line = csv->line;
    json_t *row = json_object();
    for (size_t i = 0;; i++) {
        json_t *text = NULL;
        if (read_cell(csv))
            text = json_stringn(csv->cell, csv->cell_len);
        if (!text || i >= csv->n_columns) {
            json_decref(text);
            json_decref(row);
            refuse(0, why, "line %d: %s", line,
                   text ? "more cells than the header has"
                        : "a quote without its end, bytes that are not UTF-8, or a cell that is "
                          "too long");
            return NULL;
        }
        if (csv->cell_len)
            json_object_set(row, csv->columns[i], text);
        json_decref(text);
        if (csv->end_of_line)
            break;
    }
    skip_line_end(csv);
    return row;
}

static int read_rows(struct csv *csv, json_t *miners, char why[FLOCK_WHY_MAX])
{
    while (csv->at < csv->end) {
        int line = csv->line;
        json_t *row = read_row(csv, why);
        if (!row)
            return SHEP_E_FORMAT;
        bool empty = json_object_size(row) == 0, named = field(row, "miner_id");
        if (named && json_array_size(miners) < ENTRY_MINERS_MAX)
            json_array_append(miners, row);
        json_decref(row);
        if (!empty && !named)
            return refuse(SHEP_E_FORMAT, why, "line %d: miner_id is empty", line);
        if (json_array_size(miners) == ENTRY_MINERS_MAX && csv->at < csv->end)
            return refuse(SHEP_E_FORMAT, why, "line %d: more than %d miners", line,
                          ENTRY_MINERS_MAX);
    }
    return 0;
}

int flock_csv_plan(const char *text, size_t len, json_t **plan_out, char why[FLOCK_WHY_MAX])
{
    struct csv csv = {.at = text, .end = text + len, .line = 1};
    json_t *miners = json_array();
    int rc = 0;
    *plan_out = NULL;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        csv.at += 3; /* spreadsheets write one */
    if (len > CSV_MAX_BYTES)
        rc = refuse(SHEP_E_FORMAT, why, "over %d bytes", CSV_MAX_BYTES);
    else if (!read_header(&csv))
        rc = refuse(SHEP_E_FORMAT, why,
                    "line 1: must be a header with a column miner_id, as "
                    "id,miner_id,chipset,attrs_idVendor,attrs_idProduct,attrs_serial,tty_symlink,"
                    "nerdminer_rom,nerdminer_vrs");
    else
        rc = read_rows(&csv, miners, why);
    for (size_t i = 0; i < csv.n_columns; i++)
        free(csv.columns[i]);
    if (rc == 0)
        *plan_out = json_pack("{s:O, s:[], s:[], s:[], s:[], s:[]}", "miners", miners, "pools",
                              "addresses", "strays", "summary", "notes");
    json_decref(miners);
    return rc;
}

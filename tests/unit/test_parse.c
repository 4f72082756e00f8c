/* `shepherd parse`, as a function: what it prints and returns. */
#include "check.h"

#include "unit/toy_parser.h"

#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

int cmd_parse(int argc, char **argv, const struct ingest_parsers *parsers);
int usage_error(const char *command, const char *fmt, ...) SHEP_PRINTF(2, 3);

/* The program's is in a file with more in it. */
int usage_error(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    return EX_USAGE;
}

static char dir[] = "/tmp/test_parse.XXXXXX";

static char *file_with(const char *name, const char *bytes, size_t len)
{
    char *path = path_join_dup(dir, name);
    assert_int_equal(file_write_atomic(path, bytes, len, 0600), 0);
    return path;
}

static char *slurp(FILE *file)
{
    fflush(file);
    struct buf buf = {0};
    buf_reserve(&buf, 1 << 20);
    lseek(fileno(file), 0, SEEK_SET);
    ssize_t n = read(fileno(file), buf.data, 1 << 20);
    buf.len = n > 0 ? (size_t)n : 0;
    return buf_take(&buf);
}

struct result {
    int rc;
    char *out, *err;
};

static int redirect(FILE *stream, FILE *to)
{
    fflush(stream);
    int saved = dup(fileno(stream));
    dup2(fileno(to), fileno(stream));
    return saved;
}

static void restore(FILE *stream, int saved)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
}

static struct result run(const char *const *args, const char *input)
{
    char *argv[16] = {(char *)(uintptr_t) "parse"};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    fputs(input ? input : "", in);
    rewind(in);
    int old_in = redirect(stdin, in), old_out = redirect(stdout, out),
        old_err = redirect(stderr, err);
    lseek(STDIN_FILENO, 0, SEEK_SET);
    struct result result = {.rc = cmd_parse(argc, argv, &toy_parsers)};
    restore(stdin, old_in);
    restore(stdout, old_out);
    restore(stderr, old_err);
    result.out = slurp(out);
    result.err = slurp(err);
    fclose(in);
    fclose(out);
    fclose(err);
    return result;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check(const char *const *args, const char *input, int rc, const char *out,
                  const char *err_part)
{
    struct result result = run(args, input);
    assert_string_equal(result.out, out);
    if (err_part)
        assert_non_null(strstr(result.err, err_part));
    else
        assert_string_equal(result.err, "");
    assert_int_equal(result.rc, rc);
    free(result.out);
    free(result.err);
}

static void readings(void **state)
{
    check(ARGS("-"),
          "rate 55123\n\ntoy miner\nrate 0.5\npool a.org:1 \"q\"\nrate 54970.000000000007\n", EX_OK,
          "{\"line\":1,\"metric\":\"hashrate\",\"value\":55123}\n"
          "{\"line\":4,\"metric\":\"hashrate\",\"value\":0.5}\n"
          "{\"line\":5,\"metric\":\"pool\",\"text\":\"a.org:1 \\\"q\\\"\"}\n"
          "{\"line\":6,\"metric\":\"hashrate\",\"value\":54970}\n",
          NULL);
    /* no FILE: standard input. Monitor time goes. A metric that a plugin declared has its name. */
    const char *const none[] = {NULL};
    check(none, "21:43:26.553 > toy miner\r\n21:43:26.553 > own 7\r\n", EX_OK,
          "{\"line\":2,\"metric\":\"toy.own\",\"value\":7}\n", NULL);
    /* implausible and not finite: no reading */
    check(ARGS("--summary", "-"), "toy miner\nrate 1e18\nrate 1e19\nrate -1\nrate nan\n", EX_OK,
          "{\"parser\":\"toy\",\"confidence\":90,\"lines\":5,\"unparsed\":1,\"readings\":1,"
          "\"last\":{\"hashrate\":1e18}}\n",
          NULL);
}

static void summary(void **state)
{
    static const char log[] = "toy miner\npool a\nrate 1\n\nhm\nreset\nrate 2\npool \n";
    char *path = file_with("toy.log", log, sizeof(log) - 1);
    check(ARGS("--summary", path), NULL, EX_OK,
          "{\"parser\":\"toy\",\"confidence\":90,\"lines\":7,\"unparsed\":2,\"readings\":4,"
          "\"last\":{\"hashrate\":2,\"pool\":\"\"}}\n",
          NULL);
    char *none = file_with("none.log", "x\n\ny\n", 5);
    check(
        ARGS("--summary", none, path), NULL, EX_OK,
        "{\"parser\":null,\"confidence\":0,\"lines\":2,\"unparsed\":0,\"readings\":0,\"last\":{}}\n"
        "{\"parser\":\"toy\",\"confidence\":90,\"lines\":7,\"unparsed\":2,\"readings\":4,"
        "\"last\":{\"hashrate\":2,\"pool\":\"\"}}\n",
        NULL);
    check(ARGS(none, "--parser", "other", "--summary"), NULL, EX_OK,
          "{\"parser\":\"other\",\"confidence\":100,\"lines\":2,\"unparsed\":2,\"readings\":0,"
          "\"last\":{}}\n",
          NULL);
    char *empty = file_with("empty.log", "", 0);
    check(ARGS("--summary", empty), NULL, EX_OK,
          "{\"parser\":null,\"confidence\":0,\"lines\":0,\"unparsed\":0,\"readings\":0,\"last\":{}}"
          "\n",
          NULL);
    free(empty);
    free(none);
    free(path);
}

static void errors(void **state)
{
    check(ARGS("--parser", "toi", "-"), "", EX_USAGE, "", "did you mean 'toy'");
    check(ARGS("--parser", "zzzzzzzz", "-"), "", EX_USAGE, "", "shepherd plugins");
    check(ARGS("--sumary", "-"), "", EX_USAGE, "", "sumary");
    check(ARGS("/nonexistent/file"), NULL, EX_NOINPUT, "", "/nonexistent/file: No such file");
    check(ARGS("/tmp"), NULL, EX_NOINPUT, "", "/tmp: Is a directory");
    /* the other files are read all the same */
    char *path = file_with("one.log", "toy rate 3\n", 11);
    check(ARGS("/nonexistent/file", path), NULL, EX_NOINPUT,
          "{\"line\":1,\"metric\":\"hashrate\",\"value\":3}\n", "/nonexistent/file");
    free(path);
}

static void full_output(void **state)
{
    FILE *full = fopen("/dev/full", "w"), *err = tmpfile();
    assert_non_null(full);
    char *path = file_with("two.log", "toy rate 3\n", 11);
    char *argv[] = {(char *)(uintptr_t) "parse", path, NULL};
    int old_out = redirect(stdout, full), old_err = redirect(stderr, err);
    int rc = cmd_parse(2, argv, &toy_parsers);
    clearerr(stdout);
    restore(stdout, old_out);
    restore(stderr, old_err);
    assert_int_equal(rc, EX_IOERR);
    fclose(full);
    fclose(err);
    free(path);
}

static int setup(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"toy.log", "none.log", "empty.log", "one.log", "two.log"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = path_join_dup(dir, names[i]);
        unlink(path);
        free(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings),
        cmocka_unit_test(summary),
        cmocka_unit_test(errors),
        cmocka_unit_test(full_output),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

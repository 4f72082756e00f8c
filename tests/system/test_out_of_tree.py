"""A parser built by somebody else from an installed prefix: pkg-config and the CMake package."""
import os
import pathlib
import shutil
import subprocess

from conftest import BUILD, miner_lua, run

PARSER = r"""
#include <shepherd/plugin.h>
#include <stdlib.h>
#include <string.h>

struct toy { struct shep_ctx *ctx; const struct shep_host *host; };

static int probe(const char *text, size_t len)
{
    return len >= 4 && memcmp(text, "toy ", 4) == 0 ? 90 : 0;
}
static int toy_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    struct toy *toy = malloc(sizeof *toy);
    if (!toy)
        return SHEP_E_NOMEM;
    toy->ctx = ctx;
    toy->host = host;
    *self = toy;
    return 0;
}
static int line(void *self, const struct shep_line *line)
{
    struct toy *toy = self;
    struct shep_reading reading = {.size = sizeof reading};
    if (!probe(line->text, line->len))
        return 0;
    reading.metric = SHEP_M_HASHRATE;
    for (size_t i = 4; i < line->len && line->text[i] >= '0' && line->text[i] <= '9'; i++)
        reading.value = reading.value * 10 + (line->text[i] - '0');
    toy->host->emit(toy->ctx, &reading);
    return 1;
}
static const struct shep_parser_ops ops = {sizeof ops, probe, toy_open, line, free};
static const struct shep_plugin plugin = {
    .size = sizeof plugin, .abi_major = SHEP_ABI_MAJOR, .abi_minor = SHEP_ABI_MINOR, .kind = SHEP_KIND_PARSER,
    .option_size = sizeof(struct shep_option), .metric_size = sizeof(struct shep_metric_info),
    .name = "toy", .version = "1.0", .summary = "a toy", .license = "MIT", .ops = &ops };
const struct shep_plugin *shep_plugin_v1(void) { return &plugin; }
"""


def call(*args, **kwargs):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sanitizers():
    """The plugin must be built like the program: a sanitized program wants sanitized plugins."""
    text = run("version")[1]
    return ["-fsanitize=" + text.split("sanitizers: ")[1].strip(" )\n")] if "sanitizers" in text else []


def test_parser_from_an_installed_prefix(daemon, ports, tmp_path):
    prefix, source, plugins = tmp_path / "prefix", tmp_path / "src", tmp_path / "plugins"
    source.mkdir()
    plugins.mkdir(mode=0o755)
    call("cmake", "--install", BUILD, "--prefix", prefix)
    (source / "toy.c").write_text(PARSER)
    pc = next(prefix.rglob("shepherd.pc"))
    flags = call("pkg-config", "--cflags", "shepherd", env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).split()
    call("cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", *sanitizers(), *flags,
         "-o", plugins / "toy.so", source / "toy.c")
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(toy C)\nfind_package(Shepherd REQUIRED)\n"
        "shepherd_add_plugin(parser_toy2 toy.c)\n")
    call("cmake", "-S", source, "-B", source / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    call("cmake", "--build", source / "b")
    assert next((source / "b").rglob("parser_toy2.so"))

    port, = ports(1)
    d = daemon(f'plugin_dirs = {{ "{plugins}" }}\nminers = {{ {miner_lua("TOY", port.path)} }}\n')
    d.wait_miner("TOY", lambda m: m["status"] != "offline", "the port")
    port.write("toy 123000\n")
    miner = d.wait_miner("TOY", lambda m: m["KH/s"] == 123, "the hash rate that only this parser reads")
    assert miner["status"] == "online"
    assert any(line.split()[:2] == ["parser", "toy"] for line in run("plugins", "--config", d.config)[1].splitlines())


def test_installed_daemon_finds_its_parts(tmp_path):
    prefix = tmp_path / "prefix"
    call("cmake", "--install", BUILD, "--prefix", prefix)
    moved = shutil.move(prefix, tmp_path / "moved")
    out = call(pathlib.Path(moved) / "bin" / "shepherd", "plugins", env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)})
    assert "nerdminer" in out and "refused" not in out
    page = call(pathlib.Path(moved) / "bin" / "shepherd", "render", "/", "--data-dir", tmp_path / "d",
                env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)})
    assert "</html>" in page

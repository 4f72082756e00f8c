"""words.py [--missing LANGUAGE] [ROOT]: the words for people. Every t("…") of views/ and lua/ has its translation in each
catalogue lua/locale/*.lua; a catalogue has no text that nobody uses; what is filled in (%d, %s, {name}) is the same in
both. Exits 1 when something is wrong. --missing prints what a catalogue lacks, as lines to paste into it."""

import re
import sys
from pathlib import Path

STRING = r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\''
CALL = re.compile(r"(?<![\w.:])(?:t|locale\.translate|translate)\(\s*(?:" + STRING + r")(\s*\.\.)?")
ENTRY = re.compile(r"^\s*\[(?:" + STRING + r")\]\s*=\s*(?:" + STRING + r"),?\s*$")
FILLED_IN = re.compile(r"%[-+ 0]*\d*(?:\.\d+)?[a-zA-Z%]|\{\w+\}")
COMMENT = re.compile(r"<%#.*?%>", re.S)  # of a template
ESCAPES = {"n": "\n", "t": "\t"}


def value(*groups):
    """What a Lua string literal means."""
    text = next(group for group in groups if group is not None)
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text)


def used(root):
    """text → where it stands first; and complaints."""
    found, wrong = {}, []
    files = [f for top in ("views", "lua") for f in (root / top).rglob("*")
             if f.suffix in {".html", ".lua"} and not {"node_modules", "locale"} & set(f.relative_to(root).parts)]
    for file in sorted(files):
        source = COMMENT.sub(lambda m: "\n" * m[0].count("\n"), file.read_text(encoding="utf-8"))
        for number, line in enumerate(source.splitlines(), 1):
            if line.lstrip().startswith("--"):
                continue
            for match in CALL.finditer(line):
                where = f"{file.relative_to(root).as_posix()}:{number}"
                if match[3]:
                    wrong.append(f"{where}: a text for people is one literal: no .. behind it")
                found.setdefault(value(match[1], match[2]), where)
    return found, wrong


def catalogue(file):
    """text → (translation, line); and complaints."""
    entries, wrong = {}, []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = ENTRY.match(line)
        if match is None:
            if "[" in line.split("--")[0]:
                wrong.append(f"{file.name}:{number}: not of the form [\"text\"] = \"translation\", in one line")
            continue
        text = value(match[1], match[2])
        if text in entries:
            wrong.append(f"{file.name}:{number}: {text!r} is there twice")
        entries[text] = value(match[3], match[4]), number
    return entries, wrong


def check(file, texts):
    entries, wrong = catalogue(file)
    yield from wrong
    for text, where in texts.items():
        if text not in entries:
            yield f"{where}: {text!r} is not in {file.name}"
    for text, (translation, number) in entries.items():
        if text not in texts:
            yield f"{file.name}:{number}: nobody says {text!r}"
        if FILLED_IN.findall(text) != FILLED_IN.findall(translation) and "{" not in text:
            yield f"{file.name}:{number}: {translation!r} fills in other values than {text!r}"
        if sorted(FILLED_IN.findall(text)) != sorted(FILLED_IN.findall(translation)):
            yield f"{file.name}:{number}: {translation!r} has other places than {text!r}"
        if not translation.strip():
            yield f"{file.name}:{number}: {text!r} is translated by nothing"


def lua_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main():
    arguments = sys.argv[1:]
    missing = arguments[arguments.index("--missing") + 1] if "--missing" in arguments else None
    rest = [a for a in arguments if a not in ("--missing", missing)]
    root = Path(rest[0] if rest else Path(__file__).parents[2])
    texts, wrong = used(root)
    files = sorted((root / "lua" / "locale").glob("*.lua"))
    if missing:
        entries, _ = catalogue(root / "lua" / "locale" / f"{missing}.lua")
        for text, where in texts.items():
            if text not in entries:
                print(f"    [{lua_string(text)}] = {lua_string('')}, -- {where}")
        return 0
    for file in files:
        wrong.extend(check(file, texts))
    print("\n".join(wrong) or f"words: {len(texts)} texts, {len(files)} catalogues, nothing found")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())

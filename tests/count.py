"""count.py RESULTS.xml...: sums up what ctest wrote (JUnit). Names every test that failed or was skipped, with the
reason; the last line is `N passed, N failed, N skipped`. Exit 1 if one failed, if none ran, or if a file is missing."""

import re
import sys
import xml.etree.ElementTree as ElementTree

# A skip says what is missing in its own output: "skipped: node is missing …", or pytest's "SKIPPED [1] file:3: reason".
REASON = re.compile(r"^(?:skipped:|SKIPPED \[\d+\] \S+) *(.*)$", re.IGNORECASE | re.MULTILINE)
# pytest is content when some or even all of its tests were skipped: its last line tells.
PYTEST = re.compile(r"^(?=.*\b\d+ (?:passed|skipped)\b).* in [\d.]+s.*$", re.MULTILINE)
# The tests over real captures are one skip together, however many they are.
CAPTURES = "SHEPHERD_CAPTURES"


def verdicts(case):
    """(passed, failed, skipped), each 0 or 1. ctest calls a test "notrun" too whose program is missing: that failed."""
    out = case.findtext("system-out") or ""
    if case.get("status") == "run":
        pytest = PYTEST.search(out)
        if not pytest or "skipped" not in pytest.group():
            return 1, 0, 0
        return int("passed" in pytest.group()), 0, 1
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message", "").startswith("SKIP_"):
        return 0, 0, 1
    return 0, 1, 0


def reasons(case):
    found = {text.strip() for text in REASON.findall(case.findtext("system-out") or "")}
    return "; ".join(sorted(found)) or "it does not say why"


def main(files):
    passed = failed = skipped = 0
    without_captures = False
    for file in files:
        build = file.split("/")[0]
        try:
            cases = list(ElementTree.parse(file).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"FAILED   {file}: no results: {error}")
            failed += 1
            continue
        for case in cases:
            ran, broke, left_out = verdicts(case)
            passed += ran
            failed += broke
            if broke:
                print(f"FAILED   {build} {case.get('name')}")
            if left_out:
                reason = reasons(case)
                print(f"SKIPPED  {build} {case.get('name')}: {reason}")
                if CAPTURES not in reason:
                    skipped += 1
                elif not without_captures:
                    without_captures = True
                    skipped += 1
    if not passed + failed + skipped:
        print("FAILED   no test matches")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

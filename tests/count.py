"""count.py RESULTS.xml...: sums up what ctest wrote (JUnit). Names every test that failed or was skipped, with the
reason; the last line is `N passed, N failed, N skipped`. Exit 1 if one failed, if none ran, or if a file is missing."""

import re
import sys
import xml.etree.ElementTree as ElementTree

# A skip says what is missing in its own output; this picks the line that says it.
REASON = re.compile(r"^.*\bskip(?:ped)?\b.*$", re.IGNORECASE | re.MULTILINE)


def verdict(case):
    """passed, failed or skipped. ctest also calls a test "notrun" whose program is missing: that is a failure."""
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message", "").startswith("SKIP_"):
        return "skipped"
    return "failed"


def reason(case):
    out = case.findtext("system-out") or ""
    found = REASON.search(out)
    return found.group().strip() if found else "it does not say why"


def main(files):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for file in files:
        build = file.split("/")[0]
        try:
            cases = ElementTree.parse(file).getroot().iter("testcase")
        except (OSError, ElementTree.ParseError) as error:
            print(f"FAILED   {file}: no results: {error}")
            count["failed"] += 1
            continue
        for case in cases:
            kind = verdict(case)
            count[kind] += 1
            if kind == "failed":
                print(f"FAILED   {build} {case.get('name')}")
            elif kind == "skipped":
                print(f"SKIPPED  {build} {case.get('name')}: {reason(case)}")
    if not any(count.values()):
        print("FAILED   no test matches")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What came of the checks, by claim."""
import collections
import traceback

passed = collections.Counter()
wrong = collections.defaultdict(list)


def check(claim, text, actual, expected=True):
    if actual == expected:
        passed[claim] += 1
    else:
        wrong[claim].append(f"{text}: expected {expected}, got {actual}")


def run(functions, *arguments):
    for function in functions:
        try:
            function(*arguments)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[1:]
            wrong[function.__doc__.split(":")[0]].append(f"{function.__name__}: {error!r} at {[f'{frame.name}:{frame.lineno}' for frame in line]}")


def write():
    """One line for each claim, and one for each check that failed."""
    for claim in sorted(set(passed) | set(wrong), key=lambda name: (name.rstrip("0123456789"), int(name.split("-")[1].lstrip("ABCDEFGH")))):
        print(f"{claim}: {passed[claim]} right, {len(wrong[claim])} wrong")
        for text in wrong[claim]:
            print(f"  {claim}: {text}")
    print(f"{sum(passed.values())} checks are right, {sum(map(len, wrong.values()))} are wrong")

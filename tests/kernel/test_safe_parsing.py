"""Source that is parsed in several threads at once."""

from __future__ import annotations

import subprocess
import sys

_RACE = """
import ast, gc, sys, threading
from kernel.safe_parsing import guard_parsing

guard_parsing()
guard_parsing()  # again changes nothing
source = "x = [" + ", ".join(f"({n}, [{n}])" for n in range(3000)) + "]"
gc.callbacks.append(lambda phase, info: sum(range(300)))  # Python code in the midst of making a tree
sys.setswitchinterval(1e-6)
failed = []


def parse():
    for _ in range(15):
        try:
            assert isinstance(ast.parse(source), ast.Module)
        except SystemError as error:
            failed.append(error)
            return


threads = [threading.Thread(target=parse) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed, ast.unparse(ast.parse("1+1", mode="eval")))
"""


def test_threads_that_parse_at_the_same_time_do_not_fail_each_other() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _RACE], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.strip() == "[] 1 + 1", ended.stderr

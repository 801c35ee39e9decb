"""gevent and eventlet put green things in place of threads, locks and time: with us their programs run as without, and
the drain goes on with real ones.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _hosts import play
from _peers import EXAMPLES, SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from _peers import Peer

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
SPAWN = {
    "gevent": """
import gevent
gevent.joinall([gevent.spawn(acts, 50, f"green{n}") for n in range(4)])
""",
    "eventlet": """
pool = eventlet.GreenPool(4)
for n in range(4):
    pool.spawn_n(acts, 50, f"green{n}")
pool.waitall()
""",
}
PROGRAM = """
import warnings
warnings.simplefilter("ignore")
BEFORE
acts(20)
sys.path[:0] = [EXAMPLES, TESTS]
import asyncio
import _in_memory
asyncio.run(_in_memory.talk("auto"))
AFTER
lock = threading.Lock()
def work(who):
    for number in range(200):
        with lock:
            act(number, who)
        if number % 20 == 0:
            time.sleep(0.001)
    did(200, who)
threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
SPAWN
import subprocess
print(subprocess.run([sys.executable, "-S", "-c", "print('child')"], capture_output=True).stdout)
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    acts(20)
    os._exit(0)
print(os.waitpid(pid, 0)[1])
acts(20, "last")
time.sleep(0.1)
print("done", flush=True)
os._exit(0)
"""


QUICK = (("gevent", "before", "3.12"), ("eventlet", "after", "3.13"))


@pytest.mark.parametrize(
    ("how", "when", "python"),
    [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.stress)
        for case in product(PATCH, ("before", "after"), SUPPORTED)
    ],
)
def test_green_hosts(
    how: str, when: str, python: str, peer_venv: Callable[..., Peer], sensor_env: dict[str, str], tmp_path: Path
) -> None:
    code = PROGRAM
    for name, text in {
        "BEFORE": PATCH[how] if when == "before" else "",
        "AFTER": PATCH[how] if when == "after" else "",
        "SPAWN": SPAWN[how],
        "EXAMPLES": repr(str(EXAMPLES)),
        "TESTS": repr(str(Path(__file__).parent.parent)),
    }.items():
        code = code.replace(name, text)
    peer = peer_venv(python, "mcp==2.3.0", how)
    run = play(peer, code, tmp_path, sensor_env, BLUEROCK_RING_BYTES="65536")
    assert run.done.stdout.endswith("done\n"), run.done.stderr
    run.check()
    assert run.drained > 100

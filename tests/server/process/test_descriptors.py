import subprocess
import sys

import pytest

from server.process.descriptors import OWN

PROGRAM = """
import logging, resource, sys
from server.process.descriptors import make_room
logging.basicConfig()
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:3])))
make_room(int(sys.argv[3]))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "after", "warns"),
    [(256, 2048, 1000, 1000 + OWN, False), (256, 512, 1000, 512, True), (1500, 2048, 1000, 1500, False)],
)
def test_room_is_made_as_far_as_the_system_lets(
    soft: int, hard: int, connections: int, after: int, warns: bool
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(connections)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) == after
    assert ("too few for max_connections" in done.stderr) is warns

"""Run every command of docs/guide.md against the lab, in one shell, as a reader would.

    python tests/lab/run_guide.py [docs/guide.md]
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main(page: Path) -> int:
    """Run the page's blocks; the shell stops at the first command that fails.

    Returns:
        The shell's exit status.
    """
    blocks = BLOCK.findall(page.read_text())
    script = "set -euo pipefail\nset -v\n" + "".join(blocks)
    return subprocess.run(["bash", "-c", script], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "guide.md"))

"""What is kept of playbooks that have run."""
import json
import os
import subprocess
import sys

from tricircle.jobs import playbooks


def test_the_last_failures_are_kept_and_no_folder_goes_from_under_a_playbook_that_runs(tmp_path, monkeypatch):
    folders = [tmp_path / f"job{number:02d}-1-1" for number in range(14)]
    for age, folder in enumerate(reversed(folders)):
        folder.mkdir()
        os.utime(folder, (1000 - age,) * 2)
    monkeypatch.setattr(playbooks, "_RUNNING", {folders[0].name})   # it has run for long, while others failed
    playbooks._prune(folders[-1], well=True)
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == [folder.name for folder in (folders[0], *folders[-1 - playbooks.KEPT_FAILURES:-1])]


def test_a_token_is_read_by_its_path_and_is_no_file_of_any_folder():
    read = "import sys; print(open(sys.argv[1]).read())"
    with playbooks.readable({"token": "secret"}) as path:
        told = subprocess.run([sys.executable, "-c", read, path], capture_output=True, text=True, check=True)
        assert json.loads(told.stdout) == {"token": "secret"}
        assert os.stat(path).st_nlink == 0
    assert not os.path.exists(path)

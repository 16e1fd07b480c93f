"""What is kept of playbooks that have run."""
import os

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


def test_a_token_does_not_outlive_its_worker(tmp_path):
    left = tmp_path / "job-1-1" / playbooks.ACCESS
    left.parent.mkdir()
    left.write_text("{}")
    playbooks.forget_access(tmp_path)
    assert list(left.parent.iterdir()) == []

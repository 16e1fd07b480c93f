"""Lock files are files; what root gives up is proven in tests/functional/attacks/test_root.py."""
import pytest

from tricircle.errors import TricircleError
from tricircle.privileges import open_lock


def test_a_lock_file_is_made_for_its_user_alone_and_opened_again(tmp_path):
    for _ in range(2):
        open_lock(tmp_path / "lock").close()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_not_followed(tmp_path, there):
    target = tmp_path / "target"
    if there:
        target.write_text("kept")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(TricircleError, match="cannot be opened"):
        open_lock(tmp_path / "lock")
    assert target.exists() == there
    assert not there or target.read_text() == "kept"

"""Whether the store can be read."""
from tricircle.store import Database


def test_a_store_that_is_well_missing_or_broken(tmp_path):
    db = Database(tmp_path / "s.sqlite")
    assert db.trouble() == "there is no such file"
    db.upgrade()
    assert db.trouble() == ""
    db.close()
    db.path.write_bytes(b"no database" * 1000)
    (tmp_path / "s.sqlite-wal").unlink(missing_ok=True)
    assert "not a database" in db.trouble()


def test_a_file_without_our_tables_is_no_store(tmp_path):
    (tmp_path / "s.sqlite").touch()
    assert "no such table" in Database(tmp_path / "s.sqlite").trouble()

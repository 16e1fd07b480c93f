"""The only place with SQL. One module a topic; every function takes the `Database` first."""
from tricircle.store.db import Database

__all__ = ["Database"]

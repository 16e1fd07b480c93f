"""Stand-in pods: a shared Keystone and N stateful Neutrons, Novas and Cinders on loopback ports.

They check, refuse and answer as the real services do; the shape of each answer is a recorded one (../recorded).
Run by hand: `python -m tests.functional.standin --pods 2`.
"""
from tests.functional.standin.cloud import Cloud, Pod

__all__ = ["Cloud", "Pod"]

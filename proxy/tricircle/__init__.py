"""Tricircle: several OpenStack sites as one big region."""

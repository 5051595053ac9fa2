"""Enlarging measured: what ours is compared with, and how."""

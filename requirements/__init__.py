"""The locks: every dependency pinned with hashes. ``python -m requirements`` makes them anew."""

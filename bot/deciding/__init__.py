"""The opinions of the conductor, one subject per file; `bot.conductor.decide` is their table of contents."""

"""One file of words and phrases per language; see `agents.slots.language`."""

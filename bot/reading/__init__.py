"""The parts of understanding, one per file; `bot.intents` puts them in order."""

"""Tests of Telegram, file for file."""

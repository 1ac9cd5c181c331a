"""Integrations: ours under other programs' names, one file a program. Nobody imports them but those who use that program."""

"""Floor 4: the hall. `Database` and `Collection` wire the rooms; every verb is one short method."""

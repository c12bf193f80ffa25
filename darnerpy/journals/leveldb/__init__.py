"""A journal in a LevelDB: the default engine, how its files are opened, trimmed and mended."""

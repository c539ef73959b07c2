"""The reference system. Imported as `app` (see src/app), never by the folder's name."""

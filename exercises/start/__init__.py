"""The application. Imported as `app` (see src/app), never by the folder's name."""

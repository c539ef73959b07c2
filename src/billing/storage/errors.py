"""What an object store can answer besides yes. Only `StoreDown` is worth a retry as it stands."""


class StoreError(Exception):
    """Base of all below. `retryable`: the same call may succeed later."""

    retryable = False


class StoreDown(StoreError):
    """Connection refused or lost, time-out, or the store's own 5xx."""

    retryable = True


class StoreRefused(StoreError):
    """The store said no and will again: wrong secret, missing bucket, a key it can't hold."""


class NoSuchObject(StoreError):
    """No object has this key."""


class NoSuchUpload(StoreError):
    """The upload was aborted, or completed with other parts, or never begun."""


class PartChanged(StoreError):
    """A part is missing or no longer the one whose etag was given: someone else wrote it meanwhile."""


class PartTooSmall(StoreError):
    """A part other than the last has less than 5 MiB, which S3 refuses and so do the others."""

"""Errors: everything cosimo raises on purpose. A message says what, which, and what to do next, in one sentence.

Error
├── ConfigError           something on this machine has to be set up
│   ├── ModelNotFound       no model of that name, or its weights are not here
│   ├── MissingExtra        a package that an extra installs
│   └── MissingKey          an account key that is not set, or that the server refuses
├── DataError             what was handed in cannot be used
│   ├── UnreadableSource    a file, a table, a query
│   ├── InvalidFilter       not in the filter language
│   ├── UnsupportedFilter   in the language, but beyond this store
│   └── BadVector           NaN, infinite, wrong shape
├── CollectionError       what is stored and what was asked do not fit
│   ├── NotFound            no such collection, no such item
│   ├── ModelMismatch       another model made these vectors
│   └── DimensionMismatch   vectors of another length
├── ProviderError         a model's server
│   ├── Refused             it understood, and said no
│   ├── RateLimited
│   ├── Timeout
│   └── BadReply
└── StoreError            a database
    ├── Locked              another writer is busy
    └── Corrupt             not a database, damaged, or from a newer cosimo
"""


class Error(Exception):
    """The root: `except cosimo.Error` catches all that a user can act on."""


class ConfigError(Error):
    """Something on this machine has to be set up first."""


class ModelNotFound(ConfigError):
    """No model of that name, or its weights are not on this machine."""


class MissingExtra(ConfigError):
    """A package is missing; the message holds the exact pip line."""


class MissingKey(ConfigError):
    """A provider needs a key that is not set, or refuses the one that is."""


class DataError(Error):
    """What was handed in cannot be used as it is."""


class UnreadableSource(DataError):
    """A file, table or query that cannot be read."""


class InvalidFilter(DataError):
    """A filter that is not in the language."""


class UnsupportedFilter(DataError):
    """A filter that this store cannot answer exactly."""


class BadVector(DataError):
    """A vector with NaN or infinity, or of a shape that fits nothing."""


class CollectionError(Error):
    """What is stored and what was asked for do not fit together."""


class NotFound(CollectionError):
    """No such collection, or no such item in it."""


class ModelMismatch(CollectionError):
    """The collection was made by another model, revision or prompt."""


class DimensionMismatch(CollectionError):
    """Vectors of another length than the collection's."""


class ProviderError(Error):
    """A model's server did not do its part."""


class Refused(ProviderError):
    """The server understood the request and said no.

    Attributes
    ----------
    status : of HTTP
    said : the server's own reason, in one line, without the key
    code : its word for programs, where it has one (`insufficient_quota`)
    """

    def __init__(self, message: str, status: int = 0, said: str = "", code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        self.code = code


class RateLimited(ProviderError):
    """The server asked to wait longer than we do, or the account's quota is used up."""


class Timeout(ProviderError):
    """No answer in time."""


class BadReply(ProviderError):
    """An answer that is not what was asked for."""


class StoreError(Error):
    """A database that cannot be used as it is."""


class Locked(StoreError):
    """Another program is writing, and went on for longer than the busy timeout."""


class Corrupt(StoreError):
    """Not a database, damaged, or written by a newer cosimo."""

"""The one base of every error that a user can cause and mend."""


class TinyviratError(Exception):
    """A mistake in what was given: a file, a label, an option.

    The message names the file (and line), the bad value, the allowed ones and the remedy. The
    command line prints it as one sentence on standard error and exits with 1; anything that is not
    a `TinyviratError` is a defect of this package and shows its traceback.
    """

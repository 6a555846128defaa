"""Every error the library raises outward; front doors turn them into exit codes or HTTP answers."""


class Im2LatexError(Exception):
    """Base of all errors of this library: catching it catches every refusal, and nothing else."""


class ImageError(Im2LatexError):
    """The input is not a picture, is too large, or shows nothing."""


class FormulaError(Im2LatexError):
    """The text cannot be read as a LaTeX formula."""


class RenderError(Im2LatexError):
    """LaTeX is missing or cannot be run at all (a single bad formula is reported, not raised)."""


class DataError(Im2LatexError):
    """A data set is missing, damaged, or not in the layout that was asked for."""


class BundleError(Im2LatexError):
    """A model file is missing, damaged, or does not do what its facts say."""


class ConfigError(Im2LatexError):
    """Settings that contradict each other or the data they are used with."""

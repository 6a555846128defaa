"""The models that ship with the library, by their names."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "bundles"
DEFAULT, SYMBOLS = "default", "symbols"


def find_model(named: str | Path | None = None, otherwise: str = DEFAULT) -> Path:
    """The file that a path names, or the name of a model that ships, as `handwriting`; None: the one named `otherwise`.

    A file of that name where one works goes before the model that ships.
    """
    if named is None:
        return SHIPPED / f"{otherwise}.pt"
    path = Path(named)
    shipped = SHIPPED / f"{path.name}.pt"
    return shipped if len(path.parts) == 1 and not path.exists() and shipped.is_file() else path

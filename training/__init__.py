"""The workshop: commands that make data, train, score and measure."""

import jsonargparse

jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)  # --help says what each flag is for

"""Groups: what stands between a pair of braces."""


def is_group(tokens: list[str]) -> bool:
    """True where the tokens are one pair of braces and what it holds."""
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return False
    depth = 0
    for token in tokens[:-1]:
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return False
    return True


def grouped(tokens: list[str]) -> list[str]:
    """Return the tokens in braces, unless they are one group already."""
    return tokens if is_group(tokens) else ["{", *tokens, "}"]

"""Where the web page lies, and what a browser may do with it."""

from pathlib import Path

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "index.html"
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing from outside the server, nobody may frame the page, and no text ever becomes markup.

KaTeX needs no 'unsafe-inline': it sets its styles on the elements it makes, which the policy allows. Trusted types
without a policy make the browser itself refuse innerHTML and its like.
"""


class StaticParts(StaticFiles):
    """The parts of the page: taken for what they are named, and asked for again only when they may have changed."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file of ours is asked for each time, and not sent when it is the same; KaTeX is kept for a day."""
        response = await super().get_response(path, scope)
        is_vendored = Path(path).parts[:1] == ("katex",)
        response.headers["Cache-Control"] = "public, max-age=86400" if is_vendored else "no-cache"
        response.headers["X-Content-Type-Options"] = PAGE_HEADERS["X-Content-Type-Options"]
        return response

"""Where the web page lies, and what a browser may do with it."""

from pathlib import Path

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

"""The front door: the library over HTTP."""

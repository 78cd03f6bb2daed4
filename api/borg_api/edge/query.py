"""Parameters of a query, byte by byte: names in archives are bytes, and may be no UTF-8."""

from urllib.parse import unquote_to_bytes

from fastapi import Request

from borg_contract.session.request import unquote


def read_exact(request: Request, name: str) -> str:
    """Return a parameter with what is no UTF-8 as surrogates, "" for none; FastAPI's has U+FFFD in their place."""
    query: bytes = request.scope["query_string"]
    for part in query.split(b"&"):
        key, _, value = part.partition(b"=")
        if unquote_to_bytes(key.replace(b"+", b" ")) == name.encode():
            return unquote(value.replace(b"+", b"%20").decode("latin-1"))
    return ""

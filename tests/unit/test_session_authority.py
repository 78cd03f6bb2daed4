"""Who is let in to a session: one signature of the facade, for this session, just now, for just this, once."""

import base64
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from borg_contract.reasons import Reason
from borg_contract.session.request import (
    ReadRequest,
    SessionOperation,
    make_claims,
    parse_read,
    read_target,
    render_read,
    render_target,
)
from borg_session.authority import Authority
from borg_session.refusal import RefusedError
from runner_kit.session import public_key

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
UID, NOW = "uid-1", 1_800_000_000.5
REQUEST = ReadRequest(SessionOperation.TREE, archive="db-1", path="data")
CLAIMS = make_claims(REQUEST, session_uid=UID, now=NOW, jti="j-1")
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(claims: dict[str, Any] = CLAIMS, key: Any = KEY, algorithm: str = "EdDSA", **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers or None)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(CLAIMS)}."


def signed_with_the_public_key(secret: bytes) -> str:
    """Return what a verifier takes that believes the header's HS256, and takes the public key for the secret."""
    text = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(CLAIMS)}"
    digest = hmac.new(secret, text.encode(), sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def with_another_header(algorithm: str) -> str:
    _, claims, signature = sign().split(".")
    return f"{part({'alg': algorithm})}.{claims}.{signature}"


def with_other_claims(**changes: Any) -> str:
    head, _, signature = sign().split(".")
    return f"{head}.{part(CLAIMS | changes)}.{signature}"


def admit(authorization: str | None, request: ReadRequest = REQUEST, *keys: Ed25519PrivateKey) -> None:
    authority = Authority([public_key(key) for key in keys or (KEY,)], UID, lambda: NOW)
    authority.admit(authorization, render_read(request))


def refused(call: Callable[[], None]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value


LATE = make_claims(REQUEST, session_uid=UID, now=NOW - 30, jti="j")
EARLY = make_claims(REQUEST, session_uid=UID, now=NOW + 7, jti="j")
BAD: dict[str, Callable[[], str]] = {
    "another key": lambda: sign(key=OTHER),
    "another read with the old signature": lambda: with_other_claims(read={"operation": "archives"}),
    "another session": lambda: sign(CLAIMS | {"aud": "uid-2"}),
    "another session among several": lambda: sign(CLAIMS | {"aud": [UID, "uid-2"]}),
    "another issuer": lambda: sign(CLAIMS | {"iss": "somebody"}),
    "alg ES256": lambda: sign(key=generate_private_key(SECP256R1()), algorithm="ES256"),
    "alg HS256 with the public key": lambda: signed_with_the_public_key(KEY.public_key().public_bytes_raw()),
    "alg HS256 with the public key as base64url": lambda: signed_with_the_public_key(public_key(KEY).encode()),
    "alg HS256 with the public key as PEM": lambda: signed_with_the_public_key(PUBLIC_PEM),
    "alg HS256 with nothing": lambda: signed_with_the_public_key(b""),
    "alg None": lambda: unsigned("None"),
    "alg eddsa in small letters": lambda: with_another_header("eddsa"),
    "alg empty": lambda: unsigned(""),
    "alg none": lambda: unsigned("none"),
    "alg none with the old signature": lambda: with_another_header("none"),
    "critical header that nobody knows": lambda: sign(crit=["b64", "x"], x=1),
    "ed448": lambda: sign(key=Ed448PrivateKey.generate()),
    "empty": lambda: "",
    "exp as text": lambda: sign(CLAIMS | {"exp": str(CLAIMS["exp"])}),
    "exp before iat": lambda: sign(CLAIMS | {"iat": CLAIMS["exp"], "exp": CLAIMS["exp"]}),
    "exp of infinity": lambda: sign(CLAIMS | {"exp": float("inf")}),
    "exp too far": lambda: sign(CLAIMS | {"exp": CLAIMS["exp"] + 1}),
    "iat as bool": lambda: sign(CLAIMS | {"iat": True}),
    "jti empty": lambda: sign(CLAIMS | {"jti": ""}),
    "jti endless": lambda: sign(CLAIMS | {"jti": "x" * 10_000}),
    "key of its own in the header": lambda: sign(
        key=OTHER, jwk={"kty": "OKP", "crv": "Ed25519", "x": public_key(OTHER)}
    ),
    "list of claims": lambda: f"{part({'alg': 'EdDSA'})}.{part([1])}.{part('x')}",
    "nested deeply": lambda: f"{part({'alg': 'EdDSA'})}.{base64.urlsafe_b64encode(b'[' * 50_000).decode()}.AA",
    "no aud": lambda: sign(without("aud")),
    "no exp": lambda: sign(without("exp")),
    "no iat": lambda: sign(without("iat")),
    "no iss": lambda: sign(without("iss")),
    "no jti": lambda: sign(without("jti")),
    "no read": lambda: sign(without("read")),
    "not a token": lambda: "a.b.c",
    "signature cut": lambda: sign()[:-4],
    "signature of zeros": lambda: f"{sign().rpartition('.')[0]}.{'A' * 86}",
    "the audience's beginning": lambda: sign(CLAIMS | {"aud": UID[:-1]}),
}


def test_what_the_facade_has_signed_is_let_in() -> None:
    admit(f"Bearer {sign()}")
    admit(f"bearer {sign(make_claims(REQUEST, session_uid=UID, now=NOW + 4, jti='j'))}")
    admit(f"Bearer {sign(make_claims(REQUEST, session_uid=UID, now=NOW - 29, jti='j'))}")
    admit(f"Bearer {sign()}", REQUEST, OTHER, KEY)


@pytest.mark.parametrize("name", sorted(BAD))
def test_nothing_else_is(name: str) -> None:
    error = refused(lambda: admit(f"Bearer {BAD[name]()}"))
    assert (error.status, error.reason) == (401, Reason.NOT_SIGNED), error.message


@pytest.mark.parametrize("claims", [EARLY, LATE], ids=["early", "late"])
def test_what_was_signed_at_another_time_is_not_and_that_is_no_matter_of_keys(claims: dict[str, Any]) -> None:
    error = refused(lambda: admit(f"Bearer {sign(claims)}"))
    assert (error.status, error.reason) == (401, Reason.NOT_IN_TIME)


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "Token x"])
def test_without_a_token_nothing_is(header: str | None) -> None:
    assert refused(lambda: admit(header)).status == 401


def test_a_token_without_its_scheme_is_none() -> None:
    assert refused(lambda: admit(sign())).status == 401


OTHERS = [
    ReadRequest(SessionOperation.ARCHIVES),
    ReadRequest(SessionOperation.FILE, archive="db-1", path="data"),
    ReadRequest(SessionOperation.TAR, archive="db-1", path="data"),
    ReadRequest(SessionOperation.TREE, archive="db-1"),
    ReadRequest(SessionOperation.TREE, archive="db-1", path="data", limit=1000),
    ReadRequest(SessionOperation.TREE, archive="db-1", path="data/"),
    ReadRequest(SessionOperation.TREE, archive="db-1", path="datA"),
    ReadRequest(SessionOperation.TREE, archive="db-2", path="data"),
]


@pytest.mark.parametrize("request_", OTHERS, ids=render_target)
def test_what_was_signed_for_something_else_gets_nothing(request_: ReadRequest) -> None:
    error = refused(lambda: admit(f"Bearer {sign()}", request_))
    assert (error.status, error.reason) == (403, Reason.NOT_ALLOWED)


def test_no_token_is_good_twice_and_one_that_was_refused_is_not_spent() -> None:
    time = [NOW]
    authority = Authority([public_key(KEY)], UID, lambda: time[0])
    token, read = f"Bearer {sign()}", render_read(REQUEST)
    assert refused(lambda: authority.admit(token, {"operation": "archives"})).status == 403
    authority.admit(token, read)
    for later in (0, 1, 29, 30, 31, 3600):
        time[0] = NOW + later
        assert refused(lambda: authority.admit(token, read)).status == 401
    for number in range(1000):
        time[0] = NOW + number
        claims = make_claims(REQUEST, session_uid=UID, now=time[0], jti=str(number))
        authority.admit(f"Bearer {sign(claims)}", read)
    assert len(authority._seen) <= 31, "what is late anyway is not remembered"


@pytest.mark.parametrize("keys", [[], ["x"], [""], [public_key(KEY) + "A"], ["é" * 43], [public_key(KEY), "AAAA"]])
def test_a_plan_without_good_keys_is_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="public key"):
        Authority(keys, UID)


HOSTILE = [
    "a b&c=d+e%2F#?",
    "x\udcff\udc80/\n\r\t",
    "\u202eabc",
    "日本語",
    "../../etc",
    "'\"<script>",
    "%00",
    "a" * 8000,
]


@pytest.mark.parametrize("path", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_names_of_whatever_bytes_come_through_url_and_signature_as_they_are(path: str) -> None:
    request = ReadRequest(SessionOperation.FILE, archive=f"a{path[:50]}", path=path)
    target, _, query = render_target(request).partition("?")
    assert query.isascii()
    assert read_target(target, query.encode()) == render_read(request)
    assert parse_read(read_target(target, query.encode())) == request


@pytest.mark.parametrize("query", [b"path=a&path=b", b"path=a&p%61th=b", b"operation=file&archive=a"])
def test_a_parameter_that_comes_twice_is_refused(query: bytes) -> None:
    with pytest.raises(ValueError, match="given twice"):
        read_target("/tree", query)


UNFIT = [
    {"operation": "archives", "path": "x"},
    {"operation": "diff", "a": "x"},
    {"operation": "exec", "archive": "x"},
    {"operation": "file", "archive": "x"},
    {"operation": "file", "archive": "x", "path": ""},
    {"operation": "tree", "archive": "x", "limit": "-1"},
    {"operation": "tree", "archive": "x", "limit": "0"},
    {"operation": "tree", "archive": "x", "limit": "1001"},
    {"operation": "tree", "archive": "x", "limit": "%D9%A3"},
    {"operation": "tree", "archive": "x", "path": "a%00b"},
    {"operation": "tree", "archive": "x", "path": "a" * 9000},
    {"operation": "tree", "archive": "x", "where": "x"},
]


@pytest.mark.parametrize("read", UNFIT, ids=lambda read: "&".join(f"{k}={v[:9]}" for k, v in read.items()))
def test_what_is_signed_and_makes_no_sense_is_refused(read: dict[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - words for whoever signs; that it is one is what counts
        parse_read(read)

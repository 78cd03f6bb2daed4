"""Who may look at the page: cookies, forms of other sites, redirects, headers; tried as an attacker would."""

import base64
import json
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borg_api.keys import Keys
from borg_api.page.frame import seal as seals
from borg_api.page.frame.headers import BROWSER, SESSION, safe_path
from borg_api.page.frame.seal import NoKeyError, Seal, TooLongError
from borg_api.page.pages.session import read_namespace
from support.page_world import add_repository, add_schedule
from support.rest_world import KEY, Cluster, World
from support.visitor import Browser

TOKEN = "eyJhbGciOiJSUzI1NiJ9." + "YWJjZGVm" * 100 + ".c2lnbmF0dXJl"
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)


@pytest.fixture
def world() -> World:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", runs="gg")
    return world


def test_the_token_is_kept_in_a_cookie_that_only_this_page_can_use(world: World) -> None:
    browser = Browser(world)
    browser.get("/login")
    answer = browser.post("/login", {"token": f"  {TOKEN}\n", "next": "/runs?namespace=team"})
    assert answer.headers["location"] == "/runs?namespace=team"
    (cookie,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith(SESSION)]
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=strict", "Secure"}
    assert TOKEN not in cookie
    assert not re.search("YWJjZGVm", cookie)
    assert browser.get("/runs").status_code == 200


def test_the_cookie_is_no_way_to_rest(world: World) -> None:
    browser = Browser(world, TOKEN)
    for method, path in (("GET", "/api/schedule/"), ("POST", "/api/schedule/nightly/run-now")):
        assert browser.send(method, path).status_code == 401


def test_logging_out_takes_the_cookie_away(world: World) -> None:
    browser = Browser(world, TOKEN)
    browser.get("/")
    assert browser.post("/logout").headers["location"] == "/login"
    assert SESSION not in browser.cookies
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    ("cookie", "words"),
    [
        ("", "without one"),
        ("garbage", "none of ours"),
        ("gAAAAABo" + "A" * 120, "looks like one"),
    ],
    ids=["empty", "garbage", "looks right"],
)
def test_a_cookie_that_was_not_made_here_is_none(world: World, cookie: str, words: str) -> None:
    browser = Browser(world)
    browser.cookies.set(SESSION, cookie)
    answer = browser.get("/runs?status=Failed")
    assert answer.status_code == 303, words
    assert answer.headers["location"] == f"/login?next={quote('/runs?status=Failed', safe='')}"


def test_a_session_ends_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(world, TOKEN)
    assert browser.get("/").status_code == 200
    monkeypatch.setattr(seals, "SESSION_SECONDS", -1)
    assert browser.get("/").status_code == 303


def test_a_token_that_the_cluster_refuses_is_not_kept_and_one_that_it_refuses_later_leads_to_the_login(
    world: World,
) -> None:
    world.cluster.strangers.add("stranger")
    browser = Browser(world)
    browser.get("/login")
    answer = browser.post("/login", {"token": "stranger"})
    assert answer.status_code == 401
    assert "does not accept this token" in answer.text
    assert SESSION not in browser.cookies
    browser = Browser(world, TOKEN)
    world.cluster.strangers.add(TOKEN)
    answer = browser.get("/scripts")
    assert answer.status_code == 303
    assert "expired=1" in answer.headers["location"]
    assert "has expired" in browser.get(answer.headers["location"]).text


def test_while_somebody_fills_in_a_form_nothing_leads_away_from_it_though_the_login_has_expired(world: World) -> None:
    part = Browser(world).get("/new/schedule/times?cron_expression=0+3+*+*+*", hx_request="true")
    assert part.status_code == 401
    assert not {"location", "hx-refresh", "hx-redirect"} & part.headers.keys()


@pytest.mark.parametrize("token", ["", "   ", "töken", "with\x00nul"], ids=["none", "blank", "letters", "control"])
def test_what_is_no_token_is_said(world: World, token: str) -> None:
    browser = Browser(world)
    browser.get("/login")
    answer = browser.post("/login", {"token": token})
    assert answer.status_code == 401
    assert "token" in answer.text
    assert SESSION not in browser.cookies


def test_a_token_too_long_for_a_cookie_is_said(world: World) -> None:
    browser = Browser(world)
    browser.get("/login")
    answer = browser.post("/login", {"token": secrets.token_urlsafe(6000)})
    assert answer.status_code == 400
    assert "too long for a cookie" in answer.text


def test_a_proxy_can_send_the_token_instead(world: World) -> None:
    browser = Browser(world, authorization=f"Bearer {TOKEN}")
    assert browser.get("/").status_code == 200
    assert SESSION not in browser.cookies
    assert browser.post("/schedules/nightly/toggle").status_code == 303
    world.cluster.strangers.add(TOKEN)
    assert browser.get("/scripts").status_code == 401  # and no circle through the login


def test_the_password_of_a_proxy_is_no_token_and_the_cookie_counts(world: World) -> None:
    browser = Browser(world, TOKEN, authorization="Basic cm9vdDpyb290")
    assert browser.get("/").status_code == 200


Forge = Callable[[Browser], tuple[dict[str, str], dict[str, str]]]


def _other_browser(browser: Browser) -> tuple[dict[str, str], dict[str, str]]:
    other = Browser(browser.world, TOKEN)
    other.get("/")
    return {"csrf": other.csrf}, {}


FORGED: dict[str, Forge] = {
    "no signature": lambda _: ({"csrf": ""}, {}),
    "a guess": lambda _: ({"csrf": "AAAA.BBBB"}, {}),
    "a mask alone": lambda browser: ({"csrf": browser.csrf.partition(".")[0]}, {}),
    "not ASCII": lambda _: ({"csrf": "ä.ö"}, {}),
    "of another browser": _other_browser,
    "another site": lambda browser: ({"csrf": browser.csrf}, {"sec_fetch_site": "cross-site"}),
    "a neighbour": lambda browser: ({"csrf": browser.csrf}, {"sec_fetch_site": "same-site"}),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("path", ["/logout", "/restores", "/schedules", "/schedules/nightly/delete"])
def test_a_form_of_another_site_does_nothing(world: World, forge: Forge, path: str) -> None:
    browser = Browser(world, TOKEN)
    browser.get("/")
    form, headers = forge(browser)
    world.cluster.requests.clear()
    answer = browser.post(path, form, **headers)
    assert answer.status_code == 403
    assert SESSION in browser.cookies
    assert world.cluster.requests == []


def test_a_form_is_one_that_browsers_send_without_asking_and_no_other(world: World) -> None:
    browser = Browser(world, TOKEN)
    browser.get("/")
    answer = browser.post("/schedules/nightly/toggle", content_type="text/plain")
    assert answer.status_code == 400


def test_without_its_cookie_a_browser_that_may_post_still_may_not(world: World) -> None:
    browser = Browser(world, authorization=f"Bearer {TOKEN}")
    browser.get("/")
    browser.cookies.delete(BROWSER)
    answer = browser.post("/schedules/nightly/toggle")
    assert answer.status_code == 403
    assert "keeps no cookies" in answer.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie: a=b\r\nX: y",
        "/ä",
        "evil",
        "",
        " /",
        "/\tx",
        "///evil.example",
    ],
)
def test_the_login_leads_to_this_page_alone(world: World, wanted: str) -> None:
    browser = Browser(world)
    assert safe_path(wanted) == "/"
    browser.get(f"/login?next={quote(wanted)}")
    answer = browser.post("/login", {"token": TOKEN, "next": wanted})
    assert answer.headers["location"] == "/?namespace=team"
    assert len(answer.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=y", "a\nb", "ä", "a%0d%0ab", "../../login", "a?b#c", "a b"])
def test_no_name_reaches_a_header_as_it_is(world: World, name: str) -> None:
    browser = Browser(world, TOKEN)
    for path in (f"/runs?status={quote(name)}", f"/schedules/{quote(name, safe='')}", f"/?done={quote(name)}"):
        answer = browser.get(path)
        assert answer.status_code in (200, 404)
        assert "x=y" not in str(answer.headers.get_list("set-cookie"))
    answer = Browser(world).get(f"/schedules?q={quote(name)}")
    assert "\n" not in answer.headers["location"]
    assert answer.headers["location"].startswith("/login?next=%2Fschedules")


@pytest.mark.parametrize("path", ["/", "/schedules", "/runs/nothing", "/login", "/new/schedule", "/namespaces"])
@pytest.mark.parametrize("known", [True, False], ids=["logged in", "stranger"])
def test_every_answer_keeps_other_sites_away(world: World, path: str, known: bool) -> None:
    answer = Browser(world, TOKEN if known else "").get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_a_link_that_was_sent_to_somebody_loads_itself_again_so_that_the_cookie_comes_along(world: World) -> None:
    """A strict cookie does not come with a click on another site."""
    stranger = Browser(world)
    answer = stranger.get("/runs", sec_fetch_site="cross-site")
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0")
    assert stranger.get("/runs", sec_fetch_site="same-origin").headers["location"].startswith("/login")


def test_a_live_part_of_one_who_is_logged_out_loads_the_page_again(world: World) -> None:
    answer = Browser(world).get("/", hx_request="true")
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")


def test_without_a_key_the_page_says_why_and_takes_it_as_soon_as_it_is_there() -> None:
    world = World(page=True)
    world.keys.private = None
    answer = Browser(world).get("/login")
    assert answer.status_code == 503
    assert "in Secret team/key" in answer.text
    world.keys.private = KEY
    assert Browser(world).get("/login").status_code == 200


def test_without_a_page_there_is_none() -> None:
    world = World()
    assert Browser(world).get("/").status_code == 404
    assert Browser(world).get("/login").status_code == 404


def sealed_with(key: Ed25519PrivateKey | None) -> Seal:
    keys = Keys(Cluster(), None)
    keys.private = key
    return Seal(keys)


def test_with_another_key_all_log_in_anew() -> None:
    keys = Keys(Cluster(), None)
    keys.private, seal = KEY, Seal(keys)
    cookie, form = seal.close(TOKEN), seal.sign("browser")
    assert seal.open(cookie) == TOKEN
    assert seal.is_signed(form, "browser")
    keys.private = Ed25519PrivateKey.generate()
    assert seal.open(cookie) is None
    assert not seal.is_signed(form, "browser")


def test_two_replicas_with_one_key_read_each_others_cookies() -> None:
    same = Ed25519PrivateKey.from_private_bytes(KEY.private_bytes_raw())
    assert sealed_with(KEY).open(sealed_with(same).close(TOKEN)) == TOKEN
    assert sealed_with(KEY).is_signed(sealed_with(same).sign("browser"), "browser")


def test_a_key_that_is_not_there_is_said_and_a_token_that_does_not_fit_is_refused() -> None:
    with pytest.raises(NoKeyError):
        sealed_with(None).open("x")
    with pytest.raises(TooLongError):
        sealed_with(KEY).close(secrets.token_urlsafe(6000))


def token_of(subject: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


@pytest.mark.parametrize(
    ("token", "namespace"),
    [
        (token_of("system:serviceaccount:team-a:me"), "team-a"),
        (token_of("system:serviceaccount:../x:me"), ""),
        (token_of("somebody@example.com"), ""),
        (token_of(["x"]), ""),
        ("header.bm8=.x", ""),
        ("header.\udcff.x", ""),
        ("opaque", ""),
    ],
)
def test_a_token_says_where_its_account_is_at_home(token: str, namespace: str) -> None:
    assert read_namespace(token) == namespace


def test_who_may_not_see_the_default_namespace_comes_home_after_logging_in(world: World) -> None:
    own, everywhere = token_of("system:serviceaccount:elsewhere:me"), token_of("anna")

    async def create(_: Any, manifest: Any) -> Any:
        return {"status": {"allowed": manifest["spec"]["resourceAttributes"]["namespace"] == "elsewhere"}}

    world.cluster.create = create  # type: ignore[assignment, method-assign]
    for token, place in ((own, "/?namespace=elsewhere"), (everywhere, "/namespaces")):
        browser = Browser(world)
        browser.get("/login")
        assert browser.post("/login", {"token": token, "next": "/"}).headers["location"] == place

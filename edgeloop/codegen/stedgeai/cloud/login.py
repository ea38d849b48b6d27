"""ST's login, as its own client goes through it: a form on a web page, redirects to a code, the code for tokens.

The way breaks when the page changes; then the error says so, and nothing was sent to whom it should not.
"""

import ipaddress
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import parse_qs, urljoin, urlsplit

from pydantic import SecretStr

from edgeloop.codegen.stedgeai.cloud.account import PASSWORD, USERNAME, Account, Tokens
from edgeloop.codegen.stedgeai.cloud.addresses import CLIENT_ID, Addresses
from edgeloop.codegen.stedgeai.cloud.wire import Answer, Wire
from edgeloop.errors import FarmError, FarmLogin

STEP_S = 60.0
"""For each request of a login."""
MOST_REDIRECTS = 15
EARLY_S = 30.0
"""Tokens are renewed so long before they end."""
PAGE_CHANGED = "ST has changed its login page: see docs/cloud.md, or look for a later edgeloop."


class Session:
    """Access to the service: tokens of the file while they hold, renewed when they end, else those of a login."""

    def __init__(self, addresses: Addresses, account: Account) -> None:
        self._addresses, self._account = addresses, account
        self._tokens: Tokens | None = None

    def access(self) -> SecretStr:
        """The access token.

        Raises:
            FarmLogin: there is no account, or ST does not let it in.
            FarmSilent, FarmError: as for `Wire.send`.
        """
        tokens = self._tokens or self._account.kept()
        if tokens is None:
            return self._logged_in()
        if tokens.ends_before(time.time() + EARLY_S):
            return self.renewed(tokens)
        self._tokens = tokens
        return tokens.access_token

    def renewed(self, ended: Tokens | None = None) -> SecretStr:
        """Another access token, because this one ended.

        Raises:
            FarmLogin, FarmSilent, FarmError: as for `access`.
        """
        tokens = ended or self._tokens
        fresh = self._refreshed(tokens.refresh_token) if tokens and tokens.refresh_token else None
        return self._take(fresh) if fresh else self._logged_in()

    def hidden_in(self, text: str) -> str:
        """A server's words without our secrets, should it repeat any."""
        tokens = self._tokens
        secrets = (self._account.password, tokens.access_token if tokens else None, tokens.refresh_token if tokens else None)
        for secret in secrets:
            if secret and secret.get_secret_value():
                text = text.replace(secret.get_secret_value(), "***")
        return text

    def _take(self, tokens: Tokens) -> SecretStr:
        self._tokens = tokens
        self._account.keep(tokens)
        return tokens.access_token

    def _refreshed(self, secret: SecretStr) -> Tokens | None:
        """None where the service no longer takes the token to renew with."""
        with Wire() as wire:
            url = f"{self._addresses.api}/api/user_service/login/refresh"
            answer = wire.send("POST", url, STEP_S, data={"refresh_token": secret.get_secret_value()})
        if answer.status != HTTPStatus.OK:
            return None
        fresh = answer.read(Tokens, "a renewal of tokens")
        return fresh if fresh.refresh_token else fresh.model_copy(update={"refresh_token": secret})

    def _logged_in(self) -> SecretStr:
        user, password = self._account.user, self._account.password
        if not user or not password:
            raise FarmLogin(
                "There is no account for ST's farm here, or its tokens have ended.",
                f"Set {USERNAME[0]} and {PASSWORD[0]} to those of your account at ST, once; the tokens are kept in {self._account.file}.",
            )
        with Wire() as wire:
            return self._take(_Login(wire, self._addresses).tokens(user, password))


class _Login:
    """One login."""

    def __init__(self, wire: Wire, addresses: Addresses) -> None:
        self._wire, self._addresses = wire, addresses

    def tokens(self, user: str, password: SecretStr) -> Tokens:
        form = self._form()
        fields = {**form.hidden, "username": user, "password": password.get_secret_value(), "_eventId": "Login"}
        answer = self._wire.send("POST", form.action, STEP_S, data=fields)
        if answer.location is None:
            raise _not_let_in(answer, user)
        return self._tokens_for(self._code(answer))

    def _form(self) -> "_Form":
        """The login form, wherever in ST's domain the redirects lead to."""
        asked = {"response_type": "code", "client_id": CLIENT_ID, "scope": "openid", "response_mode": "query"}
        asked["redirect_uri"] = self._addresses.callback
        answer = self._wire.send("GET", f"{self._addresses.sso}/as/authorization.oauth2", STEP_S, params=asked)
        for _ in range(MOST_REDIRECTS):
            if answer.location is None:
                return self._found(answer)
            answer = self._wire.send("GET", self._ours(answer.location), STEP_S)
        raise FarmError("ST's login sends us in circles.", PAGE_CHANGED)

    def _found(self, answer: Answer) -> "_Form":
        form = _Form.on(answer)
        if answer.status != HTTPStatus.OK or form is None:
            raise FarmError(f"The login page of {answer.host} holds no form with the field 'lt' (status {answer.status}).", PAGE_CHANGED)
        self._ours(form.action)
        return form

    def _code(self, answer: Answer) -> str:
        """The code at the end of the redirects; the callback itself is not opened."""
        for _ in range(MOST_REDIRECTS):
            target = answer.location
            if target is None:
                raise FarmError(f"ST's login ended at {answer.host} without a code (status {answer.status}).", PAGE_CHANGED)
            if target.startswith(self._addresses.callback):
                codes = parse_qs(urlsplit(target).query).get("code", [])
                if len(codes) != 1:
                    raise FarmLogin("ST's login gave no code for this account.", "Log in to ST's web site once: it may ask for consent.")
                return codes[0]
            answer = self._wire.send("GET", self._ours(target), STEP_S)
        raise FarmError("ST's login sends us in circles.", PAGE_CHANGED)

    def _tokens_for(self, code: str) -> Tokens:
        url = f"{self._addresses.api}/api/user_service/login/callback"
        answer = self._wire.send("POST", url, STEP_S, data={"redirect_url": self._addresses.callback, "code": code})
        if answer.status != HTTPStatus.OK:
            what = f"{answer.host} gives no tokens for this account (status {answer.status})."
            raise FarmLogin(what, "Try again; else log in by a browser.")
        return answer.read(Tokens, "a login")

    def _ours(self, url: str) -> str:
        """An address of ST's: nobody else gets a password or a cookie."""
        parts, sso = urlsplit(url), urlsplit(self._addresses.sso)
        host, own = parts.hostname or "", sso.hostname or ""
        if parts.scheme == sso.scheme and (host == own or host.endswith(f".{_domain(own)}")):
            return url
        raise FarmError(f"ST's login leads to {parts.scheme}://{host}, which is not ST's: nothing was sent there.", PAGE_CHANGED)


def _domain(host: str) -> str:
    """`st.com` of `sso.st.com`; a host without such a domain stands for itself."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ".".join(host.split(".")[-2:])
    return host


@dataclass(frozen=True)
class _Form:
    """The login form of a page."""

    action: str
    hidden: dict[str, str]

    @classmethod
    def on(cls, answer: Answer) -> "_Form | None":
        """The form that holds the hidden field `lt`; None where there is none."""
        reader = _Reader()
        reader.feed(answer.text)
        found = next(((action, hidden) for action, hidden in reader.forms if hidden.get("lt")), None)
        return cls(urljoin(answer.url, found[0]), found[1]) if found else None


class _Reader(HTMLParser):
    """Collects the forms of a page with their hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and (given.get("type", "").lower() == "hidden" or given.get("name") == "lt"):
            self.forms[-1][1][given.get("name", "")] = given.get("value", "")


def _not_let_in(answer: Answer, user: str) -> FarmError:
    """Why there was no redirect. ST locks an account after five wrong passwords, so nothing is tried again."""
    words = answer.text.lower()
    if "exceeded" in words and "attempts" in words:
        return FarmLogin(f"ST has locked the account {user}: too many wrong passwords.", "Set a new one at ST's web site.")
    if "wrong password" in words or _Form.on(answer) is not None:
        remedy = f"Correct {USERNAME[0]} and {PASSWORD[0]}: after five wrong passwords ST locks the account."
        return FarmLogin(f"ST does not accept the user name and password of {user}.", remedy)
    return FarmError(f"{answer.host} answers the login with a page that edgeloop does not know (status {answer.status}).", PAGE_CHANGED)

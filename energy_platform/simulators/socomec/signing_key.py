"""The key that Keycloak signs its tokens with, as an OpenID client fetches and checks it.

Source: OpenID Connect Discovery 1.0 (``jwks_uri``), RFC 7517 and RFC 7519.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import Any, Final

from jwcrypto import jwk, jwt

ALGORITHM: Final = "RS256"
"""Keycloak's default for access and ID tokens."""


class SigningKey:
    """An RSA key, made when it is first needed and different in every process."""

    @cached_property
    def _key(self) -> Any:
        return jwk.JWK.generate(
            kty="RSA", size=2_048, kid=secrets.token_urlsafe(16), use="sig", alg=ALGORITHM
        )

    def key_set(self) -> dict[str, Any]:
        """The public half as the ``jwks_uri`` gives it."""
        return {"keys": [self._key.export_public(as_dict=True)]}

    def public_key(self) -> str:
        """The public half as the realm's page gives it: the inside of a PEM, on one line."""
        lines = self._key.export_to_pem().decode().splitlines()
        return "".join(line for line in lines if not line.startswith("-----"))

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed token of these claims."""
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self._key["kid"]}
        token = jwt.JWT(header=header, claims=claims)
        token.make_signed_token(self._key)
        return str(token.serialize())

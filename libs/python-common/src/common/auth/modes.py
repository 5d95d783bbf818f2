"""From settings to what is believed: the shared secret, our published keys, or Cognito's."""

from common.auth.jwks import Jwks
from common.auth.verifier import Trust, cognito, published_keys, shared_secret
from common.settings import ServiceSettings


def trusts(settings: ServiceSettings) -> list[Trust]:
    """Whose tokens a service with *settings* believes. With Cognito also our own auth service's,
    if its JWKS is named: guests and services have no account there.
    """
    if settings.auth_mode == "hs256":
        return [shared_secret(settings.jwt_secret.get_secret_value())]
    believed, fresh_s = [], settings.jwks_fresh_s
    if settings.auth_mode == "cognito":
        issuer = settings.cognito_issuer
        believed.append(
            cognito(
                Jwks(
                    settings.cognito_jwks_url or f"{issuer}/.well-known/jwks.json", fresh_s=fresh_s
                ).find,
                issuer=issuer,
                client_ids=_listed(settings.cognito_client_ids),
                service_client_ids=_listed(settings.cognito_service_client_ids),
            )
        )
    if settings.jwks_url:
        believed.append(
            published_keys(
                Jwks(settings.jwks_url, fresh_s=fresh_s).find,
                issuer=settings.token_issuer,
                audience=settings.token_audience,
            )
        )
    return believed


def _listed(names: str) -> frozenset[str]:
    return frozenset(name.strip() for name in names.split(",") if name.strip())

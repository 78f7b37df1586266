"""The service's certificate."""

import ssl

from server.settings import Settings


class TlsError(ValueError):
    """A certificate or a key that cannot be used; the message names the file."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Makes the context for TLS 1.2 or later with the certificate of the settings; None if the settings name none.

    Raises:
        TlsError: a file that cannot be read, is damaged, is encrypted, or does not belong to the other.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise TlsError(f"{path}: {error.strerror}; give certificate and key as PEM files") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise TlsError(
            f"{certificate} and {key} are not a certificate and its key, PEM, without a pass phrase: {why}"
        ) from None
    return context


def _no_password() -> str:
    """Answers OpenSSL's question for the pass phrase of an encrypted key, which would block at a terminal."""
    raise ValueError("the key is encrypted")

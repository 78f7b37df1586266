import ssl
from pathlib import Path

import pytest
import trustme

from server.connections.tls import TlsError, tls_context
from server.settings import Settings


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    own = trustme.CA().issue_cert("127.0.0.1")
    found = {"tls_certificate": tmp_path / "certificate", "tls_key": tmp_path / "key"}
    own.cert_chain_pems[0].write_to_path(str(found["tls_certificate"]))
    own.private_key_pem.write_to_path(str(found["tls_key"]))
    return found


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context(Settings()) is None


def test_a_certificate_is_used_by_no_tls_that_is_out_of_date(files: dict[str, Path]) -> None:
    context = tls_context(Settings(**files))  # type: ignore[arg-type]  # paths
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 100])
def test_a_file_that_cannot_be_used_is_named(files: dict[str, Path], name: str, content: bytes | None) -> None:
    if content is None:
        files[name].unlink()
    else:
        files[name].write_bytes(content)
    with pytest.raises(TlsError, match=str(files[name])):
        tls_context(Settings(**files))  # type: ignore[arg-type]  # paths

"""A server that speaks TLS itself: media in both directions, a certificate that is replaced, and keys of others."""

import os
import signal
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tams_server.processes.certificate import ServerCertificate
from tams_server.settings import SettingsError
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, own_server

MEDIA = os.urandom(1024) * 50_000


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for 127.0.0.1. Returns its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def subject(folder: Path) -> Iterator[Subject]:
    certificate, key = write_certificate(folder)
    settings = {"TAMS_TLS_CERT": str(certificate), "TAMS_TLS_KEY": str(key), "TAMS_WORKERS": "1"}
    with own_server(folder, settings) as subject:
        yield subject


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "cert.pem")


def serving_processes(master: int) -> list[psutil.Process]:
    """Return the children of the master that accept connections."""
    return [
        child
        for child in psutil.Process(master).children()
        if any(c.status == "LISTEN" for c in child.net_connections())
    ]


def test_large_media_are_uploaded_and_downloaded_over_tls(subject: Subject, folder: Path) -> None:
    context = trusting(folder)
    with (
        httpx.Client(base_url=subject.url, verify=context, headers=subject.credential, timeout=60) as client,
        httpx.Client(verify=context, timeout=60) as stranger,
    ):
        document = flow()
        path = f"/flows/{document['id']}"
        assert client.put(path, json=document).status_code == 201
        allocated = client.post(f"{path}/storage", json={"limit": 1})
        [media_object] = allocated.json()["media_objects"]
        put_url = media_object["put_url"]
        assert put_url["url"].startswith(f"{subject.url}/media/")
        headers = {"Content-Type": put_url["content-type"]}
        assert stranger.put(put_url["url"], content=MEDIA, headers=headers).status_code == 200
        segment = {"object_id": media_object["object_id"], "timerange": "[0:0_1:0)"}
        assert client.post(f"{path}/segments", json=segment).status_code == 201
        [listed] = client.get(f"{path}/segments", params={"presigned": "true"}).json()
        [url] = [each["url"] for each in listed["get_urls"]]
        assert url.startswith("https://")
        assert stranger.get(url).content == MEDIA
        part = stranger.get(url, headers={"Range": "bytes=1000-2999"})
        assert (part.status_code, part.content) == (206, MEDIA[1000:3000])
        # A body that is rejected before it has been read: the connection must end in order.
        rejected = client.put(f"{path}/label", content=b"x" * 5_000_000, headers={"Content-Type": "application/json"})
        assert rejected.status_code == 413
        assert client.get("/service").status_code == 200


def test_a_replaced_certificate_is_served_after_sighup(subject: Subject, folder: Path) -> None:
    assert subject.process is not None
    address = ("127.0.0.1", int(subject.url.rpartition(":")[2]))
    before = ssl.get_server_certificate(address)
    replaced = serving_processes(subject.process.pid)
    (folder / "key.pem").unlink()
    write_certificate(folder)
    subject.process.send_signal(signal.SIGHUP)
    # Until the process that has the old certificate ends, it accepts connections beside its successor.
    _, alive = psutil.wait_procs(replaced, timeout=30)
    assert replaced and not alive
    assert ssl.get_server_certificate(address) != before
    with httpx.Client(base_url=subject.url, verify=trusting(folder), headers=subject.credential) as client:
        assert client.get("/service").status_code == 200
    (folder / "cert.pem").write_text("broken")
    subject.process.send_signal(signal.SIGHUP)
    log = folder / "server.log"
    wait_until(lambda: "the certificate is not replaced" in log.read_text(), "the error in the log", timeout_s=30)
    assert ssl.get_server_certificate(address) != before
    assert subject.process.poll() is None


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o620])
def test_a_key_that_others_can_read_or_replace_is_rejected(tmp_path: Path, mode: int) -> None:
    certificate, key = write_certificate(tmp_path)
    ServerCertificate(certificate, key)
    key.chmod(0o640)
    ServerCertificate(certificate, key)
    key.chmod(mode)
    with pytest.raises(SettingsError, match=f"mode {mode:04o}"):
        ServerCertificate(certificate, key)


def test_a_certificate_without_its_key_is_rejected(tmp_path: Path) -> None:
    certificate, _ = write_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, key = write_certificate(other)
    with pytest.raises(SettingsError, match="TAMS_TLS_CERT"):
        ServerCertificate(certificate, key)
    with pytest.raises(SettingsError, match="No such file"):
        ServerCertificate(tmp_path / "absent.pem", key)

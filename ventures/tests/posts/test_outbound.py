"""Requests go to addresses that were judged, and nowhere else."""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ventures.errors import Invalid
from ventures.outbound import AddressRefused, AnswerRefused, allowed, outbound_client, require_callable
from ventures.testing.loopback import Answer, Drop, Request, serving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_refused(address: str) -> None:
    assert not allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(address: ipaddress.IPv4Address) -> None:
    for wrapped in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert allowed(ipaddress.ip_address(wrapped)) is allowed(address)
        assert allowed(ipaddress.ip_address(wrapped), LOOPBACK) is allowed(address, LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org",
        "https://",
        "https:///path",
        "http://example.org",
        "https://user:password@example.org",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/",
        "https://printer.local/",
        "https://example.org/ space",
        "https://example.org:99999/",
        "https://[::1",
        "https://exämple.org/",
        f"https://example.org/{'x' * 2000}",
    ],
)
def test_what_can_never_be_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid):
        require_callable(url)


def test_an_allowed_network_may_be_called_by_http() -> None:
    require_callable("http://127.0.0.1:8080/hook", LOOPBACK)
    require_callable("https://example.org/hook")


async def ok(request: Request) -> Answer:
    return Answer({"host": request.headers["host"]}, headers={"Set-Cookie": "session=1"})


def always(*addresses: str):
    async def resolve(host: str, port: int) -> Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        return [ipaddress.ip_address(address) for address in addresses]

    return resolve


async def test_the_address_that_was_judged_is_the_one_called() -> None:
    async with serving(ok) as url, outbound_client(LOOPBACK, resolve=always("127.0.0.1")) as client:
        port = url.rpartition(":")[2]
        answer = await client.get(f"http://example.org:{port}/")
        assert answer.json() == {"host": f"example.org:{port}"}
        assert not client.cookies


async def test_a_name_inside_is_refused_before_anything_is_sent() -> None:
    asked = []

    async def handle(request: Request) -> Answer:
        asked.append(request)
        return Answer()

    async with serving(handle) as url, outbound_client(resolve=always("127.0.0.1", "10.0.0.1")) as client:
        port = url.rpartition(":")[2]
        for scheme in ("http", "https"):
            with pytest.raises(AddressRefused):
                await client.get(f"{scheme}://example.org:{port}/")
        with pytest.raises(AddressRefused):
            await client.get(url)
    assert not asked


async def test_a_name_that_changes_between_look_ups_is_judged_each_time() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        return [ipaddress.ip_address(address) for address in answers.pop(0)]

    async with serving(ok) as url, outbound_client(LOOPBACK, resolve=resolve) as client:
        port = url.rpartition(":")[2]
        assert (await client.get(f"http://example.org:{port}/")).is_success
        with pytest.raises(AddressRefused):
            await client.get(f"http://example.org:{port}/")


async def test_of_several_addresses_the_next_is_tried() -> None:
    async with serving(ok) as url, outbound_client(LOOPBACK, resolve=always("127.9.9.9", "127.0.0.1")) as client:
        assert (await client.get(f"http://example.org:{url.rpartition(':')[2]}/")).is_success


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of example.org, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_the_certificate_must_bear_the_name_that_was_asked_for(certificate: Path) -> None:
    names, requests = [], []

    def name_asked(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        names.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    serving_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving_tls.load_cert_chain(certificate)
    serving_tls.sni_callback = name_asked
    trusted = ssl.create_default_context(cafile=str(certificate))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving_tls)
    port = server.sockets[0].getsockname()[1]
    async with server, outbound_client(LOOPBACK, resolve=always("127.0.0.1"), trusted=trusted) as client:
        assert (await client.get(f"https://example.org:{port}/")).status_code == 204
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://example.net:{port}/")
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://127.0.0.1:{port}/")
    assert names[:2] == ["example.org", "example.net"]
    assert len(requests) == 1


async def test_redirects_are_not_followed() -> None:
    async def handle(request: Request) -> Answer:
        return Answer(status=302, headers={"Location": "http://169.254.169.254/"})

    async with serving(handle) as url, outbound_client(LOOPBACK) as client:
        assert (await client.get(url)).status_code == 302


async def test_an_answer_is_bounded_in_size() -> None:
    async def handle(request: Request) -> Answer:
        encoding = {"Content-Encoding": "gzip"} if request.path == "/gzip" else {}
        return Answer(b"x" * 1_001, headers=encoding)

    async with serving(handle) as url, outbound_client(LOOPBACK, most_answer_bytes=1_000) as client:
        for path in ("/", "/gzip"):
            with pytest.raises(AnswerRefused):
                await client.get(url + path)


async def test_an_answer_without_a_length_is_bounded_too() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5_000)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server, outbound_client(LOOPBACK, most_answer_bytes=1_000) as client:
        with pytest.raises(AnswerRefused):
            await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def test_an_answer_that_trickles_is_bounded_in_time() -> None:
    async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(trickling, "127.0.0.1", 0)
    async with server, outbound_client(LOOPBACK, timeout_seconds=0.3) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def test_no_answer_is_an_error_of_the_transport() -> None:
    async def handle(request: Request) -> Answer | Drop:
        if request.path == "/drop":
            return Drop()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(handle) as url, outbound_client(LOOPBACK, timeout_seconds=0.2) as client:
        for path in ("/drop", "/hang"):
            with pytest.raises(httpx2.TransportError) as caught:
                await client.get(url + path)
            assert not isinstance(caught.value, httpx2.ConnectError | httpx2.ConnectTimeout)

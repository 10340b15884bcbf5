"""What one client may ask for, and whose requests are answered."""

import pytest

from dvdgan_tf.page.hosts import Hosts
from dvdgan_tf.page.limits import Allowance, Limits, client_of


def test_an_allowance_comes_back_with_time():
    now = [100.0]
    allowance = Allowance(3, 0.5, lambda: now[0])
    assert [allowance.take("a") for _ in range(4)] == [True] * 3 + [False]
    # Another client has its own.
    assert allowance.take("b", 3) and not allowance.take("b", 0.1)
    now[0] += 1.9
    assert not allowance.take("a")
    now[0] += 0.2
    assert allowance.take("a") and not allowance.take("a")
    now[0] += 1000
    assert not allowance.take("a", 3.1) and allowance.take("a", 3)


def test_clients_without_number_cost_no_memory():
    allowance = Allowance(1, 0, lambda: 0.0)
    for number in range(10_500):
        assert allowance.take(str(number))
    assert len(allowance._left) == 10_000
    assert not allowance.take("10499")


def test_requests_in_flight():
    limits = Limits(1000)
    assert all(limits.begin("a") for _ in range(24))
    assert not limits.begin("a") and limits.begin("b")
    limits.end("a")
    assert limits.begin("a") and not limits.begin("a")
    for _ in range(24):
        limits.end("a")
    assert "a" not in limits._in_flight


def test_uploads_fill_no_disk():
    limits = Limits(1000)
    assert all(limits.upload("a", 1000) for _ in range(8))
    assert not limits.upload("a", 1000) and limits.upload("b", 1000)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_who_a_client_is(address, client):
    assert client_of({"client": (address, 1)}) == client


def test_a_client_without_address():
    assert client_of({"client": None}) == ""


@pytest.mark.parametrize(
    ("listens_on", "header", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:7860", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "[::1]:7860", True),
        ("127.0.0.1", "evil.example:7860", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.0.2.7:7860", False),
        ("127.0.0.1", "digits.example.org", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "evil@localhost", False),
        ("127.0.0.1", "localhost/x", False),
        ("127.0.0.1", "localhost:x", False),
        ("127.0.0.1", "[::1", False),
        ("192.0.2.7", "192.0.2.7:7860", True),
        ("192.0.2.7", "localhost", False),
        ("0.0.0.0", "192.0.2.7:7860", True),
        ("::", "[2001:db8::1]:7860", True),
        ("0.0.0.0", "localhost", True),
        ("0.0.0.0", "evil.example", False),
    ],
)
def test_hosts(listens_on, header, allowed):
    hosts = Hosts(listens_on, ["digits.example.org"])
    assert hosts.allow_host(header) == allowed
    assert hosts.allow_origin(f"http://{header}") == allowed
    assert not hosts.allow_origin(header)


@pytest.mark.parametrize(
    "origin", ["null", "", "file://localhost", "http://localhost/x"]
)
def test_origins(origin):
    assert not Hosts("127.0.0.1").allow_origin(origin)

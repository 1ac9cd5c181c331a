"""One way to call a server: who is waited for and who is not, where a request goes, and what a person reads when it fails."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import SHORT, Answer, Asked

from cosimo.core.errors import BadReply, ConfigError, ProviderError, RateLimited, Refused, Timeout
from cosimo.core.http import Patience, Server, is_local, reason, retry_after
from cosimo.core.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from threading import Event

OK = Answer(200, {"fine": True})


def asking(script: Callable[[Asked], Answer | None], **options: Any) -> tuple[Any, servers.Server]:
    """What a client gets from a server with this script, and the server to look at."""
    with servers.running(servers.Server(script)) as server:
        return Server(server.address, **({"patience": SHORT} | options)).post("/x", {"a": 1}), server


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """One answer after the other; the last one for ever."""
    number = count()
    return lambda _: answers[min(next(number), len(answers) - 1)]


# -- patience ----------------------------------------------------------------------------------------------------------


def test_500_twice_then_fine_is_fine() -> None:
    got, server = asking(in_turn(Answer(500, {}), Answer(503, b"busy"), OK))
    assert got == {"fine": True}
    assert len(server.asked) == 3
    assert server.asked[2].body == {"a": 1}


def test_500_for_ever_ends_after_as_many_tries_as_there_are() -> None:
    with servers.running(servers.Server(in_turn(Answer(500, {"error": "out of memory"})))) as server:
        with pytest.raises(Refused, match="out of memory"):
            Server(server.address, patience=SHORT).post("/x", {})
        assert len(server.asked) == SHORT.tries


def test_429_for_ever_ends_and_says_so() -> None:
    started = time.monotonic()
    with pytest.raises(RateLimited, match="slow down"):
        asking(in_turn(Answer(429, {"error": {"message": "slow down"}})))
    assert time.monotonic() - started < 10 * SHORT.total


def test_retry_after_is_waited_for() -> None:
    times: list[float] = []

    def script(_: Asked) -> Answer:
        times.append(time.monotonic())
        return OK if len(times) > 1 else Answer(429, {}, {"Retry-After": "0.3"})

    asking(script)
    assert times[1] - times[0] >= 0.3


def test_a_server_that_asks_to_come_again_in_no_time_is_not_asked_without_end() -> None:
    with servers.running(servers.Server(in_turn(Answer(429, {}, {"Retry-After": "0"})))) as server:
        with pytest.raises(RateLimited):
            Server(server.address, patience=SHORT).post("/x", {})
        assert len(server.asked) < 60  # a second in which an answer takes 5 ms; the pauses grow to 50 ms


def test_a_wait_longer_than_our_patience_is_not_begun() -> None:
    started = time.monotonic()
    with pytest.raises(RateLimited, match=r"wait 3,600 s"):
        asking(in_turn(Answer(429, {}, {"Retry-After": "3600"})))
    assert time.monotonic() - started < 10


def test_the_whole_account_waits_and_not_one_request_alone() -> None:
    times: list[float] = []

    def script(_: Asked) -> Answer:
        times.append(time.monotonic())
        return OK if len(times) > 1 else Answer(429, {}, {"Retry-After": "0.3"})

    with servers.running(servers.Server(script)) as running:
        server = Server(running.address, patience=SHORT)
        first = threading.Thread(target=server.post, args=("/x", {}))
        first.start()
        while not times:
            time.sleep(0.005)
        time.sleep(0.1)
        server.post("/x", {})
        first.join()
    assert min(times[1:]) - times[0] >= 0.3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"Retry-After": "Fri, 20 Nov 2026 10:00:30 GMT", "Date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Fri, 20 Nov 1998 10:00:30 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_without_the_servers_own_is_held_against_ours() -> None:
    assert retry_after({"Retry-After": formatdate(time.time() + 20, usegmt=True)}) == pytest.approx(20, abs=2)


def test_a_reply_that_stalls_half_way_ends() -> None:
    with pytest.raises(Timeout, match="silent"):
        asking(in_turn(Answer(200, {"long": "x" * 1000}, stall=True)), patience=Patience(silence=0.2, tries=2, pause=0.01))


def test_a_reply_that_drips_for_ever_ends_too() -> None:
    with pytest.raises(Timeout, match="end of its reply"):
        asking(in_turn(Answer(200, {"long": "x" * 1000}, drip=True)), patience=Patience(silence=0.5, total=0.5, tries=1))


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(ProviderError, match=r"cannot be reached.*is the address right"):
        Server(f"http://127.0.0.1:{port}").post("/x", {})
    assert time.monotonic() - started < 5


def test_a_connection_that_breaks_is_tried_again() -> None:
    broken = threading.Event()

    def script(_: Asked) -> Answer | None:
        if not broken.is_set():
            broken.set()
            raise BrokenPipeError
        return OK

    assert asking(script)[0] == {"fine": True}


# -- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"<!doctype html><title>Welcome</title>", b" <html></html>"])
def test_html_with_status_200_is_no_reply(body: bytes) -> None:
    with pytest.raises(BadReply, match=r"page of HTML.*/v1"):
        asking(in_turn(Answer(200, body, {"Content-Type": "text/html"})))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_no_reply(body: bytes) -> None:
    with pytest.raises(BadReply):
        asking(in_turn(Answer(200, body)))


def test_a_reply_without_end_is_not_read_to_it() -> None:
    with (
        servers.running(servers.Server(in_turn(Answer(200, b"1" * 3_000_000)))) as server,
        pytest.raises(BadReply, match="more"),
    ):
        Server(server.address, patience=SHORT).post("/x", {}, most=1_000_000)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "no", "code": "c", "type": "t"}}', ("no", "c")),
        (b'{"error": "no", "error_type": "validation"}', ("no", "validation")),
        (b'{"message": "no"}', ("no", "")),
        (b'{"detail": "no"}', ("no", "")),
        (b'{"detail": [{"loc": ["body", "input"], "msg": "no", "type": "missing"}]}', ("body.input: no", "missing")),
        (b'[{"error": {"code": 429, "message": "no"}}]', ("no", "")),
        (b"plain words", ("plain words", "")),
        (b"<html>", ("a page of HTML", "")),
        (b"null", ("", "")),
        (b"[]", ("", "")),
    ],
)
def test_the_reason_is_found_in_every_shape(body: bytes, said: tuple[str, str]) -> None:
    assert reason(body) == said


def test_a_key_that_the_server_repeats_is_struck_out() -> None:
    with pytest.raises(Refused) as caught:
        asking(in_turn(Answer(401, {"error": "bad key sk-very-secret\nat all"})), secret="sk-very-secret")
    assert caught.value.said == "bad key *** at all"
    assert "sk-very-secret" not in str(caught.value)


# -- where a request goes ----------------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_is_not_followed() -> None:
    with servers.running(servers.Server()) as other:
        moved = Answer(307, {}, {"Location": f"{other.address}/x"})
        with pytest.raises(ConfigError, match="which nobody named"):
            asking(in_turn(moved), headers={"Authorization": "Bearer sk-1"}, secret="sk-1")
        assert other.asked == []


@pytest.mark.parametrize("location", ["http://[", "http://[::1/x"])
def test_a_redirect_to_what_is_no_address_is_no_reply(location: str) -> None:
    with pytest.raises(BadReply, match="no address"):
        asking(in_turn(Answer(307, {}, {"Location": location})))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_with_the_body(status: int) -> None:
    got, server = asking(lambda asked: OK if asked.path == "/y/" else Answer(status, {}, {"Location": "/y/"}))
    assert got == {"fine": True}
    assert server.asked[1].body == {"a": 1}


def test_redirects_in_a_circle_end() -> None:
    with pytest.raises(BadReply, match="circle"):
        asking(in_turn(Answer(302, {}, {"Location": "/x"})))


def test_this_machine_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(servers.Server(in_turn(Answer(200, {"proxy": True})))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("ALL_PROXY", proxy.address)
        assert asking(in_turn(OK))[0] == {"fine": True}
        assert proxy.asked == []
        assert Server("http://somewhere.invalid", patience=SHORT).post("/x", {}) == {"proxy": True}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "socks5://localhost:1"), ("HTTP_PROXY", "gopher://x"), ("ALL_PROXY", "::::"),
        ("SSL_CERT_FILE", "/no/such/file"), ("SSL_CERT_FILE", __file__),
    ],
)  # fmt: skip
def test_a_proxy_or_certificates_that_cannot_be_used_are_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    scheme = "https" if name.startswith("SSL") else "http"
    with pytest.raises(ConfigError, match=r"environment .* correct HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE"):
        Server(f"{scheme}://example.invalid", patience=SHORT).post("/x", {})


@pytest.mark.parametrize("host", ["....", "a" * 300])
def test_a_host_that_no_name_can_have_is_one_sentence(host: str) -> None:
    with pytest.raises(ConfigError, match="check the address"):
        Server(f"http://{host}", patience=SHORT).post("/x", {})


def test_half_a_character_is_sent_as_a_question_mark() -> None:
    with servers.running(servers.Server(in_turn(OK))) as server:
        Server(server.address, patience=SHORT).post("/x", {"model": "a\udcff"})
        assert server.asked[0].body == {"model": "a?"}


def test_which_servers_are_on_this_machine() -> None:
    assert all(is_local(f"http://{host}") for host in ("localhost:80", "127.0.0.1", "127.1.2.3:1", "[::1]:80", "a.localhost"))
    assert not any(is_local(f"http://{host}") for host in ("localhost.evil.com", "127.0.0.1.evil.com", "1.2.3.4", "gpu-box"))


# -- certificates ------------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Callable[[str], ssl.SSLContext], str]:
    """A maker of servers' sides for a host, and the file of the authority that signs for them."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def side(host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(context)
        return context

    return side, str(tmp_path / "ca.pem")


def test_a_certificate_of_nobody_we_trust_ends_before_anything_is_sent(certified: Any) -> None:
    side, _ = certified
    with servers.running(servers.Server(in_turn(OK)), tls=side("127.0.0.1")) as server:
        with pytest.raises(ProviderError, match=r"certificate of 127.0.0.1:\d+ is not valid .*SSL_CERT_FILE"):
            Server(server.address, patience=SHORT, headers={"Authorization": "Bearer sk-1"}).post("/x", {})
        assert server.asked == []


def test_a_certificate_of_another_name_ends_it_too(certified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    side, file = certified
    with servers.running(servers.Server(in_turn(OK)), tls=side("other.example")) as server:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        with pytest.raises(ProviderError, match=r"certificate .* is not valid .*mismatch"):
            Server(server.address, patience=SHORT).post("/x", {})
        assert server.asked == []


def test_a_certificate_of_an_authority_of_ones_own_is_fine(certified: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    side, file = certified
    with servers.running(servers.Server(in_turn(OK)), tls=side("127.0.0.1")) as server:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        assert Server(server.address, patience=SHORT).post("/x", {}) == {"fine": True}


# -- several at a time -------------------------------------------------------------------------------------------------


def test_no_more_run_at_a_time_than_allowed() -> None:
    def slowly(_: Asked) -> Answer:
        time.sleep(0.05)
        return OK

    with servers.running(servers.Server(slowly)) as running:
        server = Server(running.address, patience=SHORT, concurrent=3)
        for _ in in_parallel(lambda number, stop: server.post("/x", {"n": number}, stop=stop), range(20), 8):
            pass
        assert len(running.asked) == 20
        assert 1 < running.most <= 3


def test_jobs_are_taken_only_as_they_are_worked_on() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    for done, _ in enumerate(in_parallel(lambda number, _: number, jobs(), 4), 1):
        assert len(taken) <= done + 5


def test_every_job_has_its_result() -> None:
    assert sorted(in_parallel(lambda number, _: number * 2, range(50), 7)) == [2 * number for number in range(50)]
    assert list(in_parallel(lambda number, _: number, [], 7)) == []
    assert list(in_parallel(lambda number, _: number, [1], 7)) == [1]


def test_the_first_error_ends_all_and_nobody_waits_for_the_others() -> None:
    stopped = threading.Event()

    def work(number: int, stop: Event) -> int:
        if number == 0:
            raise ValueError("the first")
        assert stop.wait(20)
        stopped.set()
        return number

    started = time.monotonic()
    with pytest.raises(ValueError, match="the first"):
        list(in_parallel(work, range(100), 4))
    assert stopped.wait(5)
    assert time.monotonic() - started < 10


def test_a_wait_ends_when_another_request_has_failed() -> None:
    def script(asked: Asked) -> Answer:
        if asked.body["n"] == "busy":
            return Answer(429, {}, {"Retry-After": "30"})
        time.sleep(0.3)
        return Answer(400, {"error": "no"})

    with servers.running(servers.Server(script)) as running:
        server = Server(running.address, patience=Patience(total=60))
        started = time.monotonic()
        with pytest.raises(Refused):
            for _ in in_parallel(lambda name, stop: server.post("/x", {"n": name}, stop=stop), ["bad", "busy", "busy"], 3):
                pass
        assert time.monotonic() - started < 10


def test_what_the_environment_says_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Patience.of_user(local=True).silence > Patience.of_user(local=False).silence
    monkeypatch.setenv("COSIMO_HTTP_TIMEOUT", "5")
    monkeypatch.setenv("COSIMO_HTTP_PATIENCE", "7.5")
    assert (Patience.of_user(local=True).silence, Patience.of_user(local=True).total) == (5.0, 7.5)
    monkeypatch.setenv("COSIMO_HTTP_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="COSIMO_HTTP_TIMEOUT"):
        Patience.of_user(local=True)

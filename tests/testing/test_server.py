"""The server that users' tests run: it starts, can be killed and restarted, and leaves nothing."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pymemcache.client.base import Client  # type: ignore[import-untyped]

from darnerpy.errors import DarnerError
from darnerpy.testing.server import RunningServer

pytest_plugins = ["pytester"]


def test_items_survive_kill_and_restart() -> None:
    with RunningServer() as server:
        address = server.address
        with closing(Client((server.host, server.port))) as client:
            assert client.set("work", b"first", noreply=False)
            assert client.set("work", b"second", noreply=False)
        server.kill()
        assert not server.running
        server.start()
        with closing(Client(server.address)) as client:
            assert client.get("work") == b"first"
        server.restart()
        with closing(Client(server.address)) as client:
            assert client.get("work") == b"second"
            assert client.get("work") is None
        assert server.address == address
        assert "listening" in server.log()
        data = server.data
    assert not server.running
    del server
    assert not data.exists()


def test_the_data_can_be_kept_and_settings_given(tmp_path: Path) -> None:
    kept = RunningServer(tmp_path / "kept", dialect="kestrel", max_open_reads=2)
    with kept as server, closing(Client(server.address)) as client:
        assert client.set("work", b"1", noreply=False)
        assert client.raw_command(b"get work/open", b"END\r\n").startswith(b"VALUE work 0 1")
    with RunningServer(tmp_path / "kept") as server, closing(Client(server.address)) as client:
        assert client.get("work") == b"1"


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(DarnerError, match=r"--sync.*'sometimes'"):
        RunningServer(sync="sometimes").start()
    server = RunningServer(tmp_path)
    with pytest.raises(DarnerError, match="never started"):
        _ = server.address
    with pytest.raises(DarnerError, match="not running"):
        server.stop()
    with server:
        with pytest.raises(DarnerError, match=r"already running at 127\.0\.0\.1:"):
            server.start()
        with pytest.raises(DarnerError, match="did not start"):
            RunningServer(tmp_path).start()
        server.kill()
        with pytest.raises(DarnerError, match="not running"):
            server.stop()


def test_a_forgotten_server_ends_with_its_process(tmp_path: Path) -> None:
    code = """if True:
        from darnerpy.testing.server import RunningServer
        server = RunningServer().start()
        print(server.pid, server.data, flush=True)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid, data = ended.stdout.split()
    assert not Path(f"/proc/{pid}/cmdline").exists()
    assert not Path(data).exists()


def test_the_fixture_gives_each_test_a_server_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["darnerpy.testing.pytest_plugin"]')
    pytester.makepyfile("""
        import pytest
        from pymemcache.client.base import Client

        @pytest.mark.parametrize("time", [1, 2])
        def test_empty_at_first(darner_server, time):
            client = Client(darner_server.address)
            assert client.get("work") is None
            assert client.set("work", b"x", noreply=False)
            client.close()
    """)
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=2)


def test_only_the_plugin_needs_pytest() -> None:
    code = """if True:
        import sys
        sys.modules["pytest"] = None
        import darnerpy.testing.accounting, darnerpy.testing.linear, darnerpy.testing.order
        import darnerpy.testing.server
    """
    subprocess.run([sys.executable, "-c", code], check=True)

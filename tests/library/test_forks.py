"""A process that was forked has nothing of the queues that its parent has open, and spoils nothing of it."""

from pathlib import Path

from tests.library.programs import run


def test_the_child_is_told(tmp_path: Path) -> None:
    told = run(
        """
        import os
        q = darnerpy.Queue(path, sync="never")
        q.put_many([b"a", b"b", b"c"])
        audit = q.consumer("audit")
        queues = darnerpy.open(path)
        item = q.reserve()
        if os.fork() == 0:
            for call in (
                lambda: q.put(b"x"), lambda: q.put(bytes(300_000)), lambda: q.put_many([b"x"]),
                lambda: q.get(), lambda: q.get_many(5), lambda: q.reserve(), lambda: next(iter(q)),
                lambda: len(q), lambda: q.peek(), lambda: q.stats(), lambda: q.sync(), lambda: q.flush(),
                lambda: q.delete(), lambda: q.consumer("b"), lambda: audit.get(), lambda: audit.drop(),
                lambda: queues["x"], lambda: list(queues),
                lambda: item.confirm(), lambda: item.abort(), lambda: item.keep(5),
            ):
                try:
                    call()
                    print("not told")
                except darnerpy.ForkedError as error:
                    assert path in str(error), error
            q.close()
            queues.close()
            del item, q, audit, queues
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        item.confirm()
        q.put(b"d")
        print(q.get_many(9))
        q.close()
        queues.close()
        """,
        tmp_path,
        PYTHONWARNINGS="error,ignore::DeprecationWarning",
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "[b'b', b'c', b'd']\n", "")


def test_the_child_opens_it_when_the_parent_has_closed(tmp_path: Path) -> None:
    """Its copy of the parent's lock was closed at the fork."""
    told = run(
        """
        import os
        q = darnerpy.Queue(path, engine="memory")
        q.put(b"a")
        told, tell = os.pipe()
        tried, has_tried = os.pipe()
        if os.fork() == 0:
            try:
                darnerpy.Queue(path)
                print("has it")
            except darnerpy.DataDirError as error:
                assert str(os.getppid()) in str(error)
            os.write(has_tried, b"x")
            os.read(told, 1)
            with darnerpy.Queue(path, sync="never") as mine:
                mine.put(b"of the child")
            os._exit(0)
        os.read(tried, 1)
        q.close()
        os.write(tell, b"x")
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        with darnerpy.Queue(path) as q:
            print(q.get())
        """,
        tmp_path,
    )
    assert (told.returncode, told.stdout) == (0, "b'of the child'\n"), told.stderr


def test_leveldb_says_that_it_does_not_survive_a_fork(tmp_path: Path) -> None:
    told = run(
        """
        import os
        darnerpy.Queue(path, sync="never").close()
        with darnerpy.Queue(path, sync="never") as q:
            q.put(b"a")
        if os.fork() == 0:
            try:
                darnerpy.Queue(path)
            except darnerpy.JournalError as error:
                assert "forked" in str(error), error
                print(error)
            with darnerpy.Queue(path, "other", engine="memory") as q:
                q.put(b"x")
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        """,
        tmp_path,
        PYTHONWARNINGS="error,ignore::DeprecationWarning",
    )
    assert told.returncode == 0, told.stderr
    assert "queue 'default': LevelDB cannot be used" in told.stdout


def test_a_fork_in_the_middle_of_everything(tmp_path: Path) -> None:
    """Threads put and get all the time, one of them inside the lock: children end, and nothing is lost."""
    told = run(
        """
        import os, threading
        q = darnerpy.Queue(path, sync="never")
        over = threading.Event()
        def churn():
            while not over.is_set():
                q.put(b"x" * 100)
                q.get()
        threads = [threading.Thread(target=churn) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            if os.fork() == 0:
                try:
                    q.put(b"child")
                except darnerpy.ForkedError:
                    sys.exit(0)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        over.set()
        for thread in threads:
            thread.join()
        print(len(q))
        q.close()
        """,
        tmp_path,
        PYTHONWARNINGS="error::ResourceWarning",
    )
    assert (told.returncode, told.stdout) == (0, "0\n"), told.stderr
    assert "Resource" not in told.stderr


def test_multiprocessing_forks(tmp_path: Path) -> None:
    """Work is handed to forked workers through what was read, not through the queue."""
    told = run(
        """
        import multiprocessing
        def work(data):
            return data.upper()
        if __name__ == "__main__":
            with darnerpy.Queue(path, sync="never") as q:
                q.put_many([b"a", b"b"])
                context = multiprocessing.get_context("fork")
                with context.Pool(2) as pool:
                    print(pool.map(work, q.get_many(2)))
        """,
        tmp_path,
    )
    assert told.stdout == "[b'A', b'B']\n", told.stderr

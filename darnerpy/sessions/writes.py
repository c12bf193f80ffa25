"""What a session stores: items of moderate size at once, large ones as they arrive.

Owns the upload under way, and what an expiry time means. Where an item goes is in `destinations`.
"""

from functools import partial

from ..brokers.stored import StoredQueue
from ..errors import ClientError, PausedError, QueueFullError, ServerError
from ..journals.large import Upload as LargeUpload
from ..protocol.commands import Chunk, Upload, UploadEnd
from ..protocol.item_commands import Put, Store
from ..queues.batches import Completion
from .contract import NotReady, Obstacle
from .destinations import (
    BATCH_LIMIT,
    Place,
    check_room,
    let_in,
    must_sync,
    names_of,
    place_in,
    too_large,
)
from .gathered import Gathered
from .state import State
from .uploads import Copies, Incoming

__all__ = ["Writes"]

_MAX_RELATIVE = 2_592_000
"""Up to it, 30 days, an exptime counts from now, beyond it is Unix time (memcached's border)."""

_LATEST = 2**63 - 1
"""The last time that journals and exports can say."""

_UPLOAD_AHEAD = 512 * 1024


class Writes:
    """upload: the large item that is coming in, None if there is none."""

    __slots__ = (
        "_broker",
        "_counters",
        "_expecting",
        "_guard",
        "_queues",
        "_replies",
        "_session",
        "_slots",
        "_stored",
        "upload",
    )

    def __init__(self, session: State) -> None:
        host = session.host
        self.upload: Incoming | None = None
        self._expecting: list[StoredQueue] = []
        self._session = session
        self._guard = host.guard
        self._broker = host.broker
        self._queues = host.broker.queues
        self._counters = host.counters
        self._slots = session.slots
        self._replies = session.replies
        self._stored = session.replies.stored

    # -- items of moderate size --------------------------------------------------------------------

    def put(self, command: Put) -> None:
        """Raises `ClientError`, `ServerError` or `NotReady`, before anything was done."""
        store = command.store
        stored = self._queues.get(store.queue)
        if self._guard.no_writes is not None:
            raise self._guard.no_writes
        if stored is None or not stored.ready or store.consumer:
            self._put_elsewhere(command)
            return
        self._counters.sets += 1
        if store.size > stored.settings.max_item_bytes:
            raise ServerError(too_large(store.size, [Place(stored, None)]))
        expiry = 0
        if store.exptime and not stored.settings.ignore_client_expiry:
            expiry = self._expiry(store.exptime)
        try:
            commit = stored.queue.put(command.body, store.size, store.flags, expiry, store.sync)
        except QueueFullError as error:
            self._refuse_full(store, error)
            return
        if commit.size > BATCH_LIMIT:
            stored.hold_back()
        if not store.noreply:
            self._slots.add(commit, self._stored)

    def _put_elsewhere(self, command: Put) -> None:
        """Put an item where it takes more than a glance to find the place."""
        store = command.store
        places = self._places(store)
        self._counters.sets += 1
        try:
            self._check_size(store, places)
            self._put_all(store, places, command.body, [0] * len(places))
        finally:
            self._forget(places)

    def put_unanswered(self, store: Store, body: bytes, expiry: int) -> list[Completion]:
        """As `put`, but the caller answers; raises `QueueFullError` too.

        expiry: milliseconds since the epoch, 0 is never. Returns all that the answer waits for.
        """
        if self._guard.no_writes is not None:
            raise self._guard.no_writes
        places = self._places(store)
        self._counters.sets += 1
        try:
            self._check_size(store, places)
            return self._let_in(store, places, body, [0] * len(places), expiry)
        finally:
            self._forget(places)

    def _forget(self, places: list[Place]) -> None:
        """Queues that were made for an item which was not let in."""
        for place in places:
            self._broker.forget(place.stored)

    def _places(self, store: Store) -> list[Place]:
        names = names_of(self._broker, store.queue, store.consumer)
        found = [(self._session.usable(queue), consumer) for queue, consumer in names]
        return [place_in(stored, consumer) for stored, consumer in found]

    def _put_all(
        self, store: Store, places: list[Place], body: bytes | None, files: list[int]
    ) -> bool:
        """Put an item in all places and answer that; whether it was let in."""
        expiry = self._expiry(store.exptime) if store.exptime else 0
        try:
            commits = self._let_in(store, places, body, files, expiry)
        except QueueFullError as error:
            self._refuse_full(store, error)
            return False
        if not store.noreply:
            whole = commits[0] if len(commits) == 1 else Gathered(commits)
            self._slots.add(whole, self._stored)
        return True

    def _let_in(
        self,
        store: Store,
        places: list[Place],
        body: bytes | None,
        files: list[int],
        expiry: int,
    ) -> list[Completion]:
        """Put an item in all places or, if there is no room in one (`QueueFullError`), in none."""
        size, flags, sync = store.size, store.flags, store.sync
        return let_in(self._broker, store.queue, places, body, size, flags, expiry, sync, files)

    def _refuse_full(self, store: Store, error: QueueFullError) -> None:
        if not store.noreply:
            self._slots.add(None, self._replies.not_stored(str(error)))

    def _expiry(self, exptime: int) -> int:
        """When an item expires, in milliseconds since the epoch."""
        if exptime < 0:
            return 1
        if exptime <= _MAX_RELATIVE:
            return self._session.host.clock.now_ms() + exptime * 1000
        return min(exptime * 1000, _LATEST)

    def _check_size(self, store: Store, places: list[Place]) -> None:
        fault = too_large(store.size, places)
        if fault:
            raise ServerError(fault)

    # -- large items -------------------------------------------------------------------------------

    @property
    def wants_input(self) -> bool:
        """Whether more of a large item would be put to use, not only be stored."""
        return self.upload is None or self.upload.waiting < _UPLOAD_AHEAD

    def begin(self, command: Upload) -> None:
        """As `put`; the chunks follow."""
        store = command.store
        if self._guard.no_writes is not None:
            raise self._guard.no_writes
        places = self._places(store)
        self._counters.sets += 1
        try:
            self._check_size(store, places)
            for place in places:
                check_room(place, places, store.size)
            sync = store.sync or must_sync(places)
            arrived = partial(self._arrived, store)
            self.upload = Incoming(places[0].stored, sync, self._moved, arrived)
            self._expect([place.stored for place in places])
        except QueueFullError as error:
            self._refuse_full(store, error)
        finally:
            self._forget(places)

    def _expect(self, queues: list[StoredQueue]) -> None:
        """These stay for the upload, and no others, though nothing may be in them yet."""
        for stored in queues:
            stored.expect_upload()
        before, self._expecting = self._expecting, queues
        for stored in before:
            stored.end_upload()

    def add_chunk(self, command: Chunk) -> None:
        if self.upload is not None:
            self.upload.add(command.data)

    def end(self, command: UploadEnd) -> None:
        if self.upload is not None:
            self._session.obstacles |= Obstacle.UPLOAD
            self.upload.end()

    def drop(self) -> None:
        """The item under way will not be."""
        upload, self.upload = self.upload, None
        if upload is not None:
            self._session.obstacles &= ~Obstacle.UPLOAD
            upload.discard()
            self._expect([])

    def _moved(self) -> None:
        if self._session.outlet.paused:
            self._session.outlet.regulate()

    def _arrived(
        self, store: Store, upload: Incoming, error: ClientError | ServerError | None
    ) -> None:
        """The file is whole, or never will be."""
        if self.upload is not upload:
            return  # dropped while its queues were not ready
        error = _against([upload.stored]) or error or self._guard.no_writes
        places: list[Place] = []
        try:
            if error is None:
                places = self._places(store)
        except NotReady as obstacle:
            obstacle.stored.when_ready(partial(self._arrived, store, upload, None))
            return
        except (ClientError, ServerError) as refused:
            error = refused
        if error is not None or len(places) == 1:
            self._finish(store, upload, places, [], error)
            return
        queues = [place.stored for place in places]
        self._expect(queues)
        Copies(upload, queues[1:], partial(self._finish, store, upload, places))

    def _finish(
        self,
        store: Store,
        upload: Incoming,
        places: list[Place],
        copies: list[LargeUpload],
        error: ClientError | ServerError | None,
    ) -> None:
        """Put the item in all places, now that its file is in each of them."""
        is_dropped = self.upload is not upload
        error = _against([place.stored for place in places]) or error
        stored = False
        if error is None and not is_dropped:
            files = [upload.number, *(copy.number for copy in copies)]
            try:
                stored = self._put_all(store, places, None, files)
            except ServerError as refused:
                # Some place may have let it in; a file without an item goes when its queue is opened.
                error, stored = refused, not isinstance(refused, PausedError)
        if not stored:
            upload.remove()
            for place, copy in zip(places[1:], copies, strict=False):
                place.stored.in_thread(copy.discard, lambda *_: None)
        if is_dropped:
            return
        if error is not None:
            self._session.refuse(store, error)
        self.upload = None
        self._expect([])
        self._slots.release()
        self._session.clear(Obstacle.UPLOAD)


def _against(queues: list[StoredQueue]) -> ServerError | None:
    """Why nothing can be put in one of them that an upload was begun for, None if nothing is against it."""
    for stored in queues:
        if stored.deletion is not None:
            return ServerError("the queue was deleted during the upload")
        if stored.error is not None:
            return stored.error
    return None

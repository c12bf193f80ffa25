"""The simple queue server with one promise broken at a time: judges must notice every one."""

from math import inf
from typing import Any

from tests.testing.model import Client, Consumer, Item, Request, Simulation, Write

__all__ = ["MUTATIONS", "READS", "Settings"]


class PutLost(Simulation):
    def put(self, request: Request) -> None:
        if self.chance.random() < 0.9:
            super().put(request)
        else:
            self.answer(request, request.value)


class RefusedPutStored(Simulation):
    def put(self, request: Request) -> None:
        if self.chance.random() < 0.9:
            super().put(request)
        else:
            item = Item(next(self.places), request.value or "")
            self.write(request, Write("put", item=item))
            self.answer(request, request.value, "refused")


class ClosedComesAgain(Simulation):
    def close(self, request: Request) -> None:
        if self.chance.random() < 0.9:
            super().close(request)
        else:
            super().abort(request)


class Invented(Simulation):
    def take(self, consumer: Consumer, request: Request) -> bool:
        if self.chance.random() < 0.9:
            return super().take(consumer, request)
        self.answer(request, f"x{self.now}")
        return True


class TakenTwice(Simulation):
    def confirm(self, request: Request, consumer: str, item: Item) -> None:
        if self.chance.random() < 0.9:
            super().confirm(request, consumer, item)


class HeldByTwo(Simulation):
    def hold(self, consumer: Consumer, item: Item, request: Request) -> None:
        super().hold(consumer, item, request)
        if self.chance.random() < 0.1:
            consumer.waiting.insert(0, item)


class NewestFirst(Simulation):
    def first(self, consumer: Consumer) -> Item | None:
        if self.chance.random() < 0.1:
            consumer.waiting.sort(reverse=True)
        return super().first(consumer)


class FalseEnd(Simulation):
    def get(self, request: Request) -> None:
        if self.chance.random() < 0.9:
            super().get(request)
        else:
            self.answer(request, None)


class AbortToTail(Simulation):
    def give_back(self, consumer: Consumer, item: Item) -> None:
        del consumer.holders[item]
        consumer.waiting.append(item)
        self.serve(consumer)


class AbortForgotten(Simulation):
    def abort(self, request: Request) -> None:
        item = request.client.held.pop(request.consumer)
        if self.chance.random() < 0.5:
            self.consumers[request.consumer].holders.pop(item, None)
        self.answer(request, item.value)


class ExpiredDelivered(Simulation):
    def first(self, consumer: Consumer) -> Item | None:
        return consumer.waiting[0] if consumer.waiting else None


class ExpiresTooSoon(Simulation):
    def put(self, request: Request) -> None:
        if request.lasts is None and self.chance.random() < 0.1:
            item = Item(next(self.places), request.value or "", self.now + 0.1)
            self.write(request, Write("put", item=item))
            self.answer(request, request.value)
        else:
            super().put(request)


class HeldLostOnKill(Simulation):
    def recover(self) -> None:
        held = [item for consumer in self.consumers.values() for item in consumer.holders]
        super().recover()
        for consumer in self.consumers.values():
            consumer.waiting = [item for item in consumer.waiting if item not in held]


class AcknowledgedLostOnKill(Simulation):
    def recover(self) -> None:
        self.restore(max(0, self.durable - 3))


class ConfirmedBackAfterKill(Simulation):
    def recover(self) -> None:
        last = next((w for w in reversed(self.log[: self.durable]) if w.step == "confirm"), None)
        super().recover()
        for consumer in self.consumers.values():
            if last is not None and last.item is not None:
                consumer.waiting.insert(0, last.item)


class DisconnectedLost(Simulation):
    def end_session(self, client: Client) -> None:
        for consumer in self.consumers.values():
            consumer.holders = {i: r for i, r in consumer.holders.items() if r.client is not client}


class TimedOutLost(Simulation):
    def time_out(self, request: Request, item: Item) -> None:
        self.consumers[request.consumer].holders.pop(item, None)


class ConfirmedForAll(Simulation):
    def apply(self, write: Write) -> None:
        names = list(self.consumers) if write.step == "confirm" else [write.consumer]
        for name in names:
            super().apply(write._replace(consumer=name))


class NewConsumerSeesOld(Simulation):
    def apply(self, write: Write) -> None:
        old = [earlier.item for earlier in self.log if earlier.step == "put" and earlier.item]
        fresh = write.step == "create" and write.consumer not in self.consumers
        super().apply(write)
        if fresh:
            self.consumers[write.consumer].waiting.extend(old[-1:])


class FlushLeavesOne(Simulation):
    def apply(self, write: Write) -> None:
        left = {name: consumer.waiting[-1:] for name, consumer in self.consumers.items()}
        super().apply(write)
        if write.step == "flush":
            for consumer, items in left.items():
                self.consumers[consumer].waiting.extend(items)


class DeleteLeavesHeld(Simulation):
    def apply(self, write: Write) -> None:
        held = list(self.consumers[""].holders)
        super().apply(write)
        if write.step == "delete":
            self.consumers[""].waiting.extend(held)


class FlushForgetsHeld(Simulation):
    def flush(self, request: Request) -> None:
        super().flush(request)
        for consumer in self.consumers.values():
            for item in consumer.holders:
                consumer.waiting.append(Item(item.place, item.value, inf))


Settings = dict[str, Any]

READS = ("get", "open", "open", "close", "close", "abort", "peek", "wait")
USUAL: Settings = {"kinds": ("put",) * 6 + READS}
KILLED: Settings = USUAL | {"kills": 1}
HANGING: Settings = {"kinds": ("put",) * 6 + READS + ("hang up",)}
EXPIRING: Settings = {"kinds": ("put",) * 3 + ("expiring",) * 3 + READS}
DISCARDING: Settings = {"kinds": ("put",) * 8 + READS + ("flush",)}
DELETING: Settings = {"kinds": ("put",) * 8 + READS + ("delete",)}
FANOUT: Settings = {"kinds": ("put",) * 4 + READS, "named": ("a", "b")}
TIMING_OUT: Settings = USUAL | {"open_timeout": 0.05}

MUTATIONS: dict[type[Simulation], Settings] = {
    PutLost: USUAL,
    RefusedPutStored: USUAL,
    ClosedComesAgain: USUAL,
    Invented: USUAL,
    TakenTwice: USUAL,
    HeldByTwo: USUAL,
    NewestFirst: USUAL,
    FalseEnd: USUAL,
    AbortToTail: USUAL,
    AbortForgotten: USUAL,
    ExpiredDelivered: EXPIRING,
    ExpiresTooSoon: USUAL,
    HeldLostOnKill: KILLED,
    AcknowledgedLostOnKill: KILLED,
    ConfirmedBackAfterKill: KILLED,
    DisconnectedLost: HANGING,
    TimedOutLost: TIMING_OUT,
    ConfirmedForAll: FANOUT,
    NewConsumerSeesOld: FANOUT,
    FlushLeavesOne: DISCARDING,
    FlushForgetsHeld: DISCARDING,
    DeleteLeavesHeld: DELETING,
}

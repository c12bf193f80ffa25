"""What happens to a request: it is let in or not, its route is found, done, and answered.

Owns that every error becomes an answer. Knows no route by name.
"""

import asyncio
import logging

from ..errors import DarnerError
from .answers import ALWAYS, Answer, Sender, of_problem
from .call import Call, Means
from .exchange import Exchange
from .problems import Problem, problem_of
from .routing import Router, check_body, parameters_of
from .safety import Safety

__all__ = ["App"]

log = logging.getLogger("darnerpy.http")


class App:
    def __init__(self, means: Means, router: Router, safety: Safety, sender: Sender) -> None:
        self._means = means
        self._router = router
        self._safety = safety
        self._sender = sender

    async def answer(self, exchange: Exchange) -> None:
        """Never raises, so that nobody else words an error."""
        answer: Answer | None = None
        try:
            answer = await self._answer_of(exchange)
            said = dict(answer.headers)
            answer.headers += [each for each in ALWAYS if each[0] not in said]
            await self._sender.send(exchange, answer)
        except asyncio.CancelledError:
            if not exchange.is_gone():
                exchange.hang_up()
        except Exception:
            log.exception("an answer could not be sent", extra={"peer": exchange.who})
            exchange.hang_up()
        finally:
            if answer is not None:
                answer.close()

    async def _answer_of(self, exchange: Exchange) -> Answer:
        try:
            return await self._done(exchange)
        except DarnerError as error:
            return of_problem(problem_of(error))
        except Exception:
            log.exception("a request failed", extra={"peer": exchange.who})
            return of_problem(Problem(500, "the server has made a mistake; its log tells which"))

    async def _done(self, exchange: Exchange) -> Answer:
        try:
            found = self._router.find(exchange)
        except DarnerError:
            self._safety.check(None, exchange)
            raise
        self._safety.check(found.route, exchange)
        await check_body(found, exchange)
        places, given = parameters_of(found, exchange)
        return await found.route.handler(Call(self._means, exchange, places, given))

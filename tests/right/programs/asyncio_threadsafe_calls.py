"""Threads hand results to the loop by call_soon_threadsafe. The callbacks run in the loop's thread, one by one."""

import asyncio
import threading


class Board:
    def __init__(self, loop, expected):
        self.loop = loop
        self.left = expected
        self.scores = {}
        self.finished = loop.create_future()

    def score(self, name, points):
        self.scores[name] = self.scores.get(name, 0) + points
        self.left -= 1
        if self.left == 0:
            self.finished.set_result(None)


def play(board, name):
    for points in range(30):
        board.loop.call_soon_threadsafe(board.score, name, points)


async def main():
    board = Board(asyncio.get_running_loop(), 90)
    threads = [threading.Thread(target=play, args=(board, name)) for name in ("ann", "bob", "ann")]
    for thread in threads:
        thread.start()
    await board.finished
    for thread in threads:
        thread.join()
    assert board.scores == {"ann": 870, "bob": 435}


asyncio.run(main())

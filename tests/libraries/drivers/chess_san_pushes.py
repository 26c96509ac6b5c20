"""A board writes a move in words by making the move and taking it back: threads that only read see it moved.

requires: chess==1.11.2
include: chess
expect: lost update, unrepeatable read, failed access, overwritten before read, stale check, unguarded update
at: chess/__init__.py:Board._algebraic, chess/__init__.py:Board._algebraic_and_push, chess/__init__.py:Board.push
"""

import threading

import chess

START = "r1bqkbnr/pppp1ppp/2n5/1B2p3/4P3/5N2/PPPP1PPP/RNBQK2R b KQkq - 3 3"
board = chess.Board(START)
moves = list(board.legal_moves)
right = {move: board.san(move) for move in moves}
ready = threading.Barrier(3)
wrong, failed = [], []


def describe():
    ready.wait()
    for _ in range(150):
        for move in moves:
            try:
                if board.san(move) != right[move]:
                    wrong.append(move)
            except Exception as error:
                failed.append(error)


threads = [threading.Thread(target=describe) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
moved = "another" if board.fen() != START else "the same"
print(f"RESULT {len(wrong)} moves wrong, {len(failed)} failed, the board is {moved}")

# SPDX-License-Identifier: MIT
"""What a get and its return cost in pools for Python, beside libpool's core, which is called by ctypes.

Connections are nothing.  The pools take turns in short rounds, and medians are compared.
"""

import argparse
import contextlib
import ctypes
import json
import statistics
import threading
import time

from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool
from sqlalchemy.pool import QueuePool

BATCH = 16
CASES = [(1, 8), (2, 8), (4, 8), (16, 8)]  # threads, connections


class Nothing:
    """What both pools ask of a connection."""

    transaction_status = TransactionStatus.IDLE
    closed = False

    def __init__(self):
        self.pgconn = self

    @classmethod
    def connect(cls, *_, **__):
        return cls()

    def close(self):
        pass

    def rollback(self):
        pass


class Libpool:
    def __init__(self, library, connections):
        self.library = ctypes.CDLL(library)
        self.library.pool_of_nothing.restype = ctypes.c_void_p
        self.library.pool_get.restype = ctypes.c_int64
        self.library.pool_get.argtypes = [ctypes.c_void_p]
        self.library.pool_put.argtypes = [ctypes.c_int64]
        self.library.pool_free.argtypes = [ctypes.c_void_p]
        self.pool = self.library.pool_of_nothing(connections)

    def cycle(self):
        get, put, pool = self.library.pool_get, self.library.pool_put, self.pool

        def once():
            if put(get(pool)) != 0:
                raise RuntimeError("a put failed")

        return once

    def close(self):
        self.library.pool_free(self.pool)


class PsycopgPool:
    def __init__(self, connections):
        self.pool = ConnectionPool(connection_class=Nothing, min_size=connections, max_size=connections, open=False)
        self.pool.open(wait=True)

    def cycle(self):
        pool = self.pool
        return lambda: pool.putconn(pool.getconn())

    def close(self):
        self.pool.close()


class Queue:
    def __init__(self, connections):
        self.pool = QueuePool(Nothing, pool_size=connections, max_overflow=0, reset_on_return=None)

    def cycle(self):
        connect = self.pool.connect
        return lambda: connect().close()

    def close(self):
        self.pool.dispose()


def round_of(pool, threads, seconds):
    """Nanoseconds for a get and its return, by all threads together."""
    counts, stop = [0] * threads, threading.Event()

    def work(number):
        cycle = pool.cycle()
        while not stop.is_set():
            for _ in range(BATCH):
                cycle()
            counts[number] += BATCH

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.perf_counter_ns()
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    return (time.perf_counter_ns() - began) / max(1, sum(counts))


def compete(arguments, threads, connections):
    name = f"{threads} thread{'s' if threads > 1 else ''}, {connections} connections"
    pools = {
        "libpool": Libpool(arguments.library, connections),
        "psycopg_pool": PsycopgPool(connections),
        "SQLAlchemy QueuePool": Queue(connections),
    }
    times = {side: [] for side in pools}
    with contextlib.ExitStack() as stack:
        for pool in pools.values():
            stack.callback(pool.close)
            round_of(pool, threads, arguments.round_ms / 1000)  # warms up
        for _ in range(arguments.rounds):
            for side, pool in pools.items():
                times[side].append(round_of(pool, threads, arguments.round_ms / 1000))
    for side, rounds in times.items():
        median = statistics.median(rounds)
        print(f"{name + ': ' + side:<56} {median:12.1f}  ns", flush=True)
        yield dict(name=f"{name}: {side}", value=median, unit="ns", bound=None, met=None, case=name, contender=side, rounds=rounds)


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main():
    parser = argparse.ArgumentParser(prog="tools/bench python")
    parser.add_argument("--library", help=argparse.SUPPRESS)
    parser.add_argument("--json", help="writes the figures to this file, too")
    parser.add_argument("--rounds", type=positive, default=15)
    parser.add_argument("--round-ms", type=positive, default=60)
    arguments = parser.parse_args()
    figures = [figure for case in CASES for figure in compete(arguments, *case)]
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)


main()

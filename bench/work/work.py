# SPDX-License-Identifier: MIT
"""Real work in Python: many threads share few connections of PostgreSQL and of Redis, lent by the pools that Python programs
use.  bench/work/run starts the servers and says what a line of the output is.
"""

import os
import sys
import threading
import time

import redis
import sqlalchemy
from psycopg_pool import ConnectionPool

THREADS = 64
CONNECTIONS = 8
AUTOCOMMIT = {"autocommit": True}  # else each use is three requests


def by_psycopg_pool():
    pool = ConnectionPool("dbname=postgres", min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=60, open=True, kwargs=AUTOCOMMIT)
    pool.wait()

    def use():
        with pool.connection() as connection:
            connection.execute("SELECT 1").fetchone()

    return use


def by_sqlalchemy():
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg:///postgres", pool_size=CONNECTIONS, max_overflow=0, pool_timeout=60, connect_args=AUTOCOMMIT, pool_reset_on_return=None
    )

    def use():
        connection = engine.raw_connection()
        try:
            connection.driver_connection.execute("SELECT 1").fetchone()
        finally:
            connection.close()

    return use


def by_redis():
    pool = redis.BlockingConnectionPool(
        host="127.0.0.1", port=int(os.environ["REDIS_PORT"]), max_connections=CONNECTIONS, timeout=60
    )
    return redis.Redis(connection_pool=pool).ping


SERVERS = {
    "PostgreSQL": {"psycopg_pool": by_psycopg_pool, "SQLAlchemy": by_sqlalchemy},
    "Redis": {"redis-py": by_redis},
}


def work(use, seconds):
    """One round: the time of each use, and that of all."""
    times, over = [[] for _ in range(THREADS)], threading.Event()

    def repeat(mine):
        while not over.is_set():
            asked = time.perf_counter_ns()
            use()
            mine.append(time.perf_counter_ns() - asked)

    workers = [threading.Thread(target=repeat, args=(mine,)) for mine in times]
    began = time.perf_counter_ns()
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    over.set()
    for worker in workers:
        worker.join()
    return sorted(each for mine in times for each in mine), time.perf_counter_ns() - began


def main():
    rounds, round_ms = (int(text) for text in sys.argv[1:])
    for server, contenders in SERVERS.items():
        uses = {name: make() for name, make in contenders.items()}
        for round_number in range(-1, rounds):  # the first warms up
            for name, use in uses.items():
                times, took = work(use, round_ms / 1000)
                shown = [times[(len(times) - 1) * thousandths // 1000] for thousandths in (500, 990, 999, 1000)]
                if round_number >= 0:
                    print(server, name, took // len(times), *shown, sep="\t", flush=True)
    os._exit(0)  # the pools have threads


main()

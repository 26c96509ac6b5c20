"""A thread takes a dataset off those not made yet, and makes it: meanwhile the others find it nowhere.

requires: kedro==1.7.0
include: kedro
expect: failed access, stale check, unrepeatable read
at: kedro/io/data_catalog.py:DataCatalog.get, kedro/io/data_catalog.py:DataCatalog.__contains__
"""

import logging
import threading
import time

from kedro.io import AbstractDataset, DataCatalog

logging.disable(logging.CRITICAL)
TABLES = 5


class Table(AbstractDataset):
    def __init__(self, name):
        time.sleep(0.001)  # connects to the database
        self.name = name

    def _load(self):
        return [self.name]

    def _save(self, data):
        raise NotImplementedError

    def _describe(self):
        return {"name": self.name}


catalog = DataCatalog.from_config({f"table{number}": {"type": Table, "name": f"t{number}"} for number in range(TABLES)})
ready = threading.Barrier(4)
failed, loaded = [], []


def run():
    ready.wait()
    for number in range(TABLES):
        try:
            loaded.append(catalog.load(f"table{number}"))
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = ", ".join(sorted({type(error).__name__ for error in failed}))
print(f"RESULT {len(failed)} loads of {4 * TABLES} failed ({kinds})")

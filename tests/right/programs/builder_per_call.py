"""A query builder is changed step by step.

The object is made by the call that uses it; threads share only the result list.
"""

import threading


class Query:
    def __init__(self, table):
        self.table = table
        self.columns = []
        self.conditions = []
        self.limit = None

    def select(self, *columns):
        self.columns.extend(columns)
        return self

    def where(self, condition):
        self.conditions.append(condition)
        return self

    def first(self, limit):
        self.limit = limit
        return self

    def sql(self):
        text = f"SELECT {', '.join(self.columns or ['*'])} FROM {self.table}"
        if self.conditions:
            text += " WHERE " + " AND ".join(self.conditions)
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        return text


queries = []


def work(number):
    for each in range(30):
        query = Query(f"t{number}").select("id", "name").where(f"id > {each}")
        if each % 2:
            query.first(each)
        queries.append(query.sql())


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(queries)) == 120

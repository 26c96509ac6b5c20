"""Threads validate with the same validator: references are resolved in the scope that another thread has entered.

requires: jsonschema==4.17.3
include: jsonschema
expect: overwritten before read, unguarded own write
at: jsonschema/validators.py
"""

import threading

from jsonschema import Draft7Validator, RefResolver
from jsonschema.exceptions import RefResolutionError


def unknown(address):
    raise KeyError(address)


def part(name):
    return {"properties": {"kind": {"const": name}, "inner": {"$ref": "inner.json"}}}


store = {
    "http://example.com/order/main.json": part("order"),
    "http://example.com/order/inner.json": {"properties": {"kind": {"const": "order"}}},
    "http://example.com/person/main.json": part("person"),
    "http://example.com/person/inner.json": {"properties": {"kind": {"const": "person"}}},
}
schema = {
    "$id": "http://example.com/all.json",
    "properties": {"order": {"$ref": "order/main.json"}, "person": {"$ref": "person/main.json"}},
}
resolver = RefResolver.from_schema(schema, store=store, handlers={"http": unknown})
validator = Draft7Validator(schema, resolver=resolver)
wrong = []
unresolved = []
failures = []


def work(name):
    for number in range(250):
        try:
            if not validator.is_valid({name: {"kind": name, "inner": {"kind": name}}}):
                wrong.append(number)
        except RefResolutionError as error:
            unresolved.append(error)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(name,)) for name in ("order", "person") * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} right documents were called wrong, {len(unresolved)} unresolved, {len(failures)} failed")

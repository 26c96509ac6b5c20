"""Each query opens the transport if it is not open, and the first that is done closes it under the others.

requires: gql==4.4.0, graphql-core==3.3.2, httpx==0.28.1
include: gql
expect: stale check, overwritten before read, failed access, unrepeatable read
at: gql/transport/httpx.py:HTTPXTransport.connect, gql/transport/httpx.py:HTTPXTransport.close
"""

import threading
import time

import httpx
from gql import Client, gql
from gql.transport.httpx import HTTPXTransport


def serve(request):
    time.sleep(0.001)
    return httpx.Response(200, json={"data": {"hero": {"name": "R2"}}})


client = Client(
    transport=HTTPXTransport(url="http://api.example/graphql", transport=httpx.MockTransport(serve), verify=False)
)
question = gql("{ hero { name } }")
ready = threading.Barrier(4)
failed = []


def ask():
    ready.wait()
    for _ in range(5):
        try:
            client.execute(question)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = ", ".join(sorted({type(error).__name__ for error in failed}))
print(f"RESULT {len(failed)} questions of 20 failed ({kinds})")

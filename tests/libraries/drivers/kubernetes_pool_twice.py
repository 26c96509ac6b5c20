"""Threads make the first asynchronous calls of one client: each finds no pool of threads, and makes one.

requires: kubernetes==31.0.0
include: kubernetes
expect: stale check
at: kubernetes/client/api_client.py:ApiClient.pool
"""

import threading

from kubernetes import client

api_client = client.ApiClient(client.Configuration(host="http://127.0.0.1:1"), pool_threads=1)
api = client.CoreV1Api(api_client)
before = threading.active_count()
ready = threading.Barrier(5)
pools = []


def list_pods():
    ready.wait()
    api.list_namespaced_pod("default", async_req=True)
    pools.append(api_client.pool)


threads = [threading.Thread(target=list_pods) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
# a pool of one worker has three threads more, which look after it
print(
    f"RESULT {threading.active_count() - before} threads of pools, where 4 make one; {len(set(map(id, pools)))} pools"
)
api_client.close()

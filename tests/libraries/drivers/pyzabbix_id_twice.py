"""Threads ask with the same client: their requests have the same number.

requires: pyzabbix==1.3.1
include: pyzabbix
expect: lost update, unrepeatable read, stale check
at: pyzabbix/api.py:ZabbixAPI.do_request
"""

import collections
import json
import threading
import time

import requests
from pyzabbix import ZabbixAPI

asked = []


class Server(requests.adapters.BaseAdapter):
    def send(self, request, **options):
        question = json.loads(request.body)
        asked.append(question["id"])
        time.sleep(0.001)
        answer = requests.Response()
        answer.status_code = 200
        answer.request = request
        answer._content = json.dumps({"jsonrpc": "2.0", "result": [], "id": question["id"]}).encode()
        return answer

    def close(self):
        pass


session = requests.Session()
session.mount("http://", Server())
zabbix = ZabbixAPI("http://monitor.example", session=session, detect_version=False)


def poll(place):
    for number in range(15):
        zabbix.do_request("item.get", {"hostids": [place, number]})
        time.sleep(0.0005)


threads = [threading.Thread(target=poll, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(count > 1 for count in collections.Counter(asked).values())
print(f"RESULT {twice} numbers were given to several of {len(asked)} requests")

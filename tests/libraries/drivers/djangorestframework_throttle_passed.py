"""Requests that come at once read the history before any other has written its own: too many pass.

requires: djangorestframework==3.18.3, Django==6.1.3
include: rest_framework, django
expect: lost update, stale check
at: rest_framework/throttling.py:SimpleRateThrottle.allow_request
"""

import threading
import time

import django
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}, USE_TZ=True)
django.setup()

from django.core.cache.backends.locmem import LocMemCache  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.test import APIRequestFactory  # noqa: E402
from rest_framework.throttling import SimpleRateThrottle  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Cache(LocMemCache):
    """As far away as any cache that several servers share."""

    def get(self, *args, **kwargs):
        time.sleep(0.001)
        return super().get(*args, **kwargs)

    def set(self, *args, **kwargs):
        time.sleep(0.001)
        super().set(*args, **kwargs)


class LogInThrottle(SimpleRateThrottle):
    rate = "5/min"
    scope = "log-in"
    cache = Cache("throttle", {})

    def get_cache_key(self, request, view):
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class LogIn(APIView):
    authentication_classes = permission_classes = ()
    throttle_classes = (LogInThrottle,)

    def post(self, request):
        return Response("wrong password")


view = LogIn.as_view()
requests = APIRequestFactory()
view(requests.post("/log-in", REMOTE_ADDR="10.0.0.1"))  # another client: all is imported
ready = threading.Barrier(8)
codes = []


def guess():
    ready.wait()
    for number in range(5):
        codes.append(view(requests.post("/log-in", {"password": str(number)}, REMOTE_ADDR="10.0.0.9")).status_code)


threads = [threading.Thread(target=guess) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {codes.count(200)} passwords were tried, where 5 a minute are allowed")

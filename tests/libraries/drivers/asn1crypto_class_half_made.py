"""A class is prepared as its first object is made: another thread prepares it again, and empties its tables.

requires: asn1crypto==1.5.1
include: asn1crypto
expect: stale check, unguarded check, intermediate read, read skew, failed access
at: asn1crypto/core.py
"""

import base64
import threading

from asn1crypto import x509

CERTIFICATE = base64.b64decode(
    "MIIBTDCB86ADAgECAgEHMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWEuZXhhbXBsZTAeFw0yNjAxMDEwMDAwMDBaFw0zNjAxMDEwMDAw"
    "MDBaMBQxEjAQBgNVBAMMCWEuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLj7mRhWA4OTNb2j6xFGwwNHHXZXs/lmK000"
    "TVP/n2/4Ew6CIYyMYndLK050yOJkHoKusYTzauEaP3lCKzgTezGjNjA0MCEGA1UdEQQaMBiCCWEuZXhhbXBsZYELYkBhLmV4YW1wbGUw"
    "DwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBVvyIDi6mrcCf15tu8fB7P+1Cy7M4bY/gSkrZHKxAt5gIhAN7RFVZMIb66"
    "KiHwIPozmiflV6l/BdYxEmPMz11gE654"
)
start = threading.Barrier(6)
names = []
failures = []


def work():
    start.wait()
    for _ in range(3):
        try:
            certificate = x509.Certificate.load(CERTIFICATE)
            names.append((certificate.subject.native["common_name"], *certificate.subject_alt_name_value.native))
            certificate.native["tbs_certificate"]
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = [each for each in names if each != ("a.example", "a.example", "b@a.example")]
print(f"RESULT {len(names)} certificates were read, {len(wrong)} are wrong, {len(failures)} failed {failures[:1]}")

"""Threads ask one `git cat-file` by one pipe for commits, and get the answers of each other.

requires: GitPython==3.2.1, gitdb==4.0.12, smmap==5.0.3
include: git, gitdb
expect: failed access, stale check, overwritten before read, unrepeatable read
at: git/cmd.py:Git._get_persistent_cmd, git/cmd.py:Git.__get_object_header, git/cmd.py:Git.stream_object_data
"""

import shutil
import tempfile
import threading
import time

from git import Actor, Repo

folder = tempfile.mkdtemp()
repo = Repo.init(folder)
me = Actor("Me", "me@example.com")
made = [repo.index.commit(f"change {number}", author=me, committer=me).hexsha for number in range(30)]
repo = Repo(folder)
ready = threading.Barrier(3)
failed, wrong = [], []


def read():
    ready.wait()
    for number, name in enumerate(made):
        try:
            message = repo.commit(name).message
        except Exception as error:
            failed.append(error)
        else:
            if message != f"change {number}":
                wrong.append(message)


threads = [threading.Thread(target=read, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
end = time.monotonic() + 1
for thread in threads:
    thread.join(max(0, end - time.monotonic()))
hanging = sum(thread.is_alive() for thread in threads)
print(
    f"RESULT {len(failed)} of 90 failed, {len(wrong)} have the message of another, {hanging} threads wait for ever",
    flush=True,
)
shutil.rmtree(folder, ignore_errors=True)

"""The context of a migration is one for all threads: one runs on the database of another, or on none.

requires: alembic==1.20.1, SQLAlchemy==2.1.9, Mako==1.4.3
include: alembic
expect: overwritten before read, failed access, unrepeatable read, stale check
at: alembic/util/langhelpers.py:ModuleClsProxy._install_proxy
"""

import io
import os
import shutil
import sqlite3
import tempfile
import threading

from alembic import command
from alembic.config import Config

ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
VERSION = """
import sqlalchemy
from alembic import op

revision = "r1"
down_revision = None


def upgrade():
    op.create_table("things", sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True))
"""
folder = tempfile.mkdtemp()
os.mkdir(os.path.join(folder, "versions"))
for name, text in (("env.py", ENV), ("versions/r1.py", VERSION)):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)
TENANTS = 4
paths = [os.path.join(folder, f"tenant{tenant}.db") for tenant in range(TENANTS)]
ready = threading.Barrier(TENANTS)
failed = []


def migrate(path):
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", folder)
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    ready.wait()
    try:
        command.upgrade(config, "head")
    except Exception as error:
        failed.append(error)


threads = [threading.Thread(target=migrate, args=(path,)) for path in paths]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
migrated = 0
for path in paths:
    with sqlite3.connect(path) as database:
        migrated += database.execute("select count(*) from sqlite_master where name = 'things'").fetchone()[0]
    database.close()
shutil.rmtree(folder)
print(f"RESULT {len(failed)} migrations of {TENANTS} failed, {migrated} databases are migrated")

"""Workers of an executor make their own state in the initializer and keep it in threading.local."""

import threading
from concurrent.futures import ThreadPoolExecutor

local = threading.local()


class Template:
    def __init__(self, text):
        self.text = text
        self.values = {}

    def fill(self, **values):
        self.values = values
        return self.render()

    def render(self):
        text = self.text
        for name, value in self.values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


def prepare(text):
    local.template = Template(text)


def render(number):
    return local.template.fill(number=number, square=number * number)


with ThreadPoolExecutor(4, initializer=prepare, initargs=("{number}^2 = {square}",)) as pool:
    texts = list(pool.map(render, range(80)))
assert texts == [f"{number}^2 = {number * number}" for number in range(80)]

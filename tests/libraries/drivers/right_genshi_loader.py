"""A loader of templates that may be shared by threads.

requires: Genshi==0.7.12
include: genshi.template.loader
expect: nothing
"""

import os
import tempfile
import threading

from genshi.template import TemplateLoader

folder = tempfile.mkdtemp()
for number in range(6):
    with open(os.path.join(folder, f"page{number}.html"), "w") as file:
        file.write(f"<p>page {number} of $name</p>")
loader = TemplateLoader([folder], auto_reload=True, max_cache_size=4)
rendered = []


def work(place):
    for number in range(40):
        template = loader.load(f"page{number % 6}.html")
        rendered.append(template.generate(name="shop").render("html"))


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(rendered))} different pages of {len(rendered)}")

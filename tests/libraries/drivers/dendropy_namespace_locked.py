"""A reader locks the namespace and puts back what it found, which was another's lock: species are refused.

requires: DendroPy==5.1.3
include: dendropy
expect: overwritten before read, stale check, lost update
at: dendropy/dataio/nexusprocessing.py:NexusTaxonSymbolMapper._set_taxon_namespace
"""

import threading

import dendropy
from dendropy.utility.error import ImmutableTaxonNamespaceError

taxa = dendropy.TaxonNamespace()
ready = threading.Barrier(4)
read, refused = [], []


def study(place):
    ready.wait()
    for number in range(5):
        species = ",".join(f"s{place * 400 + number * 80 + taxon}" for taxon in range(120))
        try:
            read.append(dendropy.Tree.get(data=f"({species});", schema="newick", taxon_namespace=taxa))
        except ImmutableTaxonNamespaceError as error:
            refused.append(error)


threads = [threading.Thread(target=study, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(refused)} trees of 20 were refused, {len(taxa)} taxa for {len(set(taxa.labels()))} species, "
    f"the namespace is {'open' if taxa.is_mutable else 'locked for ever'}"
)

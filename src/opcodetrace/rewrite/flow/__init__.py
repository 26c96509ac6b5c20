"""What flows into what a write stores: an abstract interpretation of one code object.

Reaching definitions over the stack and the fast locals (Aho, Lam, Sethi, Ullman, Compilers, 9.2.4). A **node** is one
value that an instruction makes; a **set** of nodes is what may lie in a slot at some point. A set of more than one
node is a phi: which of them it was shows only at run time, by markers (DEFINE) after each of its members.
"""

from opcodetrace.rewrite.flow.conditions import Question
from opcodetrace.rewrite.flow.data_flow import ArgumentSources, DataFlow, analyse, depths
from opcodetrace.rewrite.flow.interpretation import FlowError
from opcodetrace.rewrite.flow.keys import ANY_KEY, Key, access_keys, called_attributes, key_may_be
from opcodetrace.rewrite.flow.sources import Definition, StaticSources

__all__ = [
    "ANY_KEY",
    "ArgumentSources",
    "DataFlow",
    "Definition",
    "FlowError",
    "Key",
    "Question",
    "StaticSources",
    "access_keys",
    "analyse",
    "called_attributes",
    "depths",
    "key_may_be",
]

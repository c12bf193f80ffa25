# A fork of plyvel with the same interface, so that the types are the same, too.

from plyvel import *

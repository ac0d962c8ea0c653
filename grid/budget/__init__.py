"""What work comes to: memory, time, disk. Estimates only, and never part of a key.

devices.py      published profiles                  memory.py       what fills a rank
time.py         seconds of an update                layout.py        degree, micro-batch, the fit
text.py         corpora, tokenizers, shards         unlocated.py    text that is not here
price.py        one cell                            finished.py     corrects by finished runs
calibration.py  coefficients and their sources      calibrate.py    measures this machine
rough.py        seconds that only order the work
"""

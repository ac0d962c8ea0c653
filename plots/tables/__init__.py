"""The published tables, with measured rows beside the printed ones: Markdown, CSV and LaTeX.

registry.py    the tables by name; makes and writes them
table.py       a table as data                 task_table.py  makes those of scores
published/     one table each                  papers.py      what these share
printed.py     rows from plots/reference       measured.py    rows from a results frame
sisters.py     studies that share a table      gaps.py        what is missing
markdown.py, tidy.py (CSV), latex.py           the forms; notes.py their footnotes
"""
